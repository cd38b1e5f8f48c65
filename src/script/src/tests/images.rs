//! Images: how they are named, checked, unpacked and started.

use super::*;

#[test]
fn a_kernel_gets_its_arguments_and_images() {
    let mut world = World::new(&[("vmlinuz", "ELF"), ("initrd", "data"), ("readme", "text")]);
    let script = "kernel vmlinuz   root=/dev/nfs ${none} x\ninitrd --name a initrd\ninitrd initrd /etc/x mode=644\n\
                  kernel readme words || echo no\nboot && boot vmlinuz again\nimgargs vmlinuz\nboot\nimgfree\nboot";
    assert_eq!(play(&mut world, script), Ok(()));
    let boots: Vec<_> = world.log.iter().filter(|line| line.starts_with("boot")).cloned().collect();
    assert_eq!(
        boots,
        [
            "boot vmlinuz [root=/dev/nfs  x] with a,initrd,readme",
            "boot vmlinuz [again] with a,initrd,readme",
            "boot vmlinuz [] with a,initrd,readme"
        ]
    );
    assert!(world.reports.iter().all(|error| error.is(&NOT_EXECUTABLE)) && world.reports.len() == 1);
    assert!(world.said.contains("nothing to boot"));
    assert!(world.contents.iter().all(Vec::is_empty));
}

#[test]
fn images_are_listed_and_freed_by_name() {
    let mut world = World::new(&[("x", "data"), ("k", "ELF")]);
    let script = "imgfetch -qn a x\nimgfetch -nb x\nimgfetch -qt500 -n c x one two\nimgfetch --name=c x\nkernel -a k quiet\nimgstat\n\
                  imgfree a nope b || echo stopped\nimgstat b && imgfree c c && imgstat c || echo none\nboot && imgstat k || echo freed";
    assert_eq!(play(&mut world, script), Ok(()));
    let listing = "a : 4 bytes [data]\nb : 4 bytes [data]\nc : 4 bytes [data] \"one two\"\nc : 4 bytes [data]\n\
                   k : 3 bytes [elf] [SELECTED] [AUTOFREE] \"quiet\"\nb : 4 bytes [data]\n";
    assert_eq!(world.said, listing);
    assert_eq!(world.log[5..], ["stopped\n", "none\n", "boot k [quiet] with b", "freed\n"]);
}

#[test]
fn names_may_be_given_to_images_that_are_here() {
    let mut world = World::new(&[("k", "ELF")]);
    assert_eq!(
        play(
            &mut world,
            "kernel k one\nkernel --name new k\nimgstat new && chain new && imgstat k || echo renamed"
        ),
        Ok(())
    );
    assert_eq!(world.log, ["fetch k", "boot new [one] with ", "renamed\n"]);
}

#[test]
fn only_what_can_be_booted_is_started() {
    let mut world =
        World::new(&[("page", "<html>"), ("glued", "#!ipxe2\necho bad"), ("bad\x07name", "ELF-")]);
    let script =
        "chain page || chain glued || kernel page || echo none\nimgstat page && echo kept\nchain bad\x07name";
    let status = play(&mut world, script);
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&BROKEN)));
    assert_eq!(world.log[2..4], ["none\n", "kept\n"]);
    let mut empty = World::new(&[]);
    let id = empty.add("data", vec![0xff; 10]);
    assert!(
        matches!(run(&mut empty, Start::Image(id)), Err(Failure::Error(error)) if error.is(&NOT_EXECUTABLE))
    );
    assert_eq!(empty.reports.len(), 1);
}

#[test]
fn only_the_file_with_the_digest_is_taken() {
    // The digest of everything in this world.
    let digest = b"sha256".map(|byte| format!("{byte:02X}")).concat();
    let mut world = World::new(&[("k", "ELF"), ("x", "data")]);
    let script = format!(
        "kernel --sha256 00 k || imgstat k || echo refused\nkernel --sha256 {digest} k && imgstat k && echo taken\n\
         imgargs --sha256={digest}00 k a || imgstat k || echo dropped\nimgset --sha256 ${{none}} s x || echo none ${{s}}\n\
         imgset -S {digest} s x && echo ${{s}}\nkernel k\nboot --sha256 12 || echo not booted"
    );
    assert_eq!(play(&mut world, &script), Ok(()));
    let echoed: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(echoed, ["refused\n", "taken\n", "dropped\n", "none \n", "data\n", "not booted\n"]);
}

#[test]
fn only_verified_images_run_if_that_is_asked_for() {
    let mut world =
        World::new(&[("k", "ELF"), ("forged", "ELF"), ("k.sig", "s"), ("sub", "#!ipxe\nchain --replace k")]);
    let script = "imgtrust\nkernel k\nboot || echo refused\nimgverify -s ca k k.sig && imgstat k.sig || boot\n\
                  imgverify --keep k nothing || boot\nimgverify --keep forged k.sig || boot forged || imgstat k.sig && echo bad\n\
                  chain sub || echo sub refused\nimgtrust --allow\nchain sub && imgtrust --permanent\nimgtrust --allow || echo final\nimgtrust";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "fetch k",
            "refused\n",
            "fetch k.sig",
            "verify k k.sig Some([99, 97])",
            "boot k [] with ",
            "fetch nothing",
            "boot k [] with ",
            "fetch forged",
            "fetch k.sig",
            "verify forged k.sig None",
            "bad\n",
            "fetch sub",
            "sub refused\n",
            "boot k [] with forged,k.sig",
            "final\n",
        ]
    );
}

#[test]
fn an_image_that_may_not_run_stays_where_it_is() {
    let mut world = World::new(&[("k", "ELF"), ("l", "ELF"), ("p", "ELF")]);
    let script = "kernel k\nkernel l\nimgtrust\nchain k || chain --autofree l || imgtrust --allow\nchain p";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log, ["fetch k", "fetch l", "fetch p", "boot p [] with k"]);
    let names: Vec<_> = world.images.registered().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["k", "p"]);
    let script = "imgfetch l\nimgtrust\nchain k || imgtrust --allow\nchain p";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log.last().unwrap(), "boot p [] with k,l");
}

#[test]
fn files_become_settings_digests_and_other_files() {
    let mut world = World::new(&[("motd", "hello"), ("a.gz", "packed"), ("plain", "x")]);
    let script = "imgset text motd && echo ${text}\nimgstat motd || imgset -k n:uint8 motd && imgstat motd && echo ${n:hexraw}\n\
                  imgset text:nonsense motd || echo no type\nsha256sum motd\nmd5sum -s sum motd && echo ${sum}\nsha1sum --set sum:base64 motd && echo ${sum}\n\
                  imgextract a.gz && imgstat a && imgstat a.gz || echo extracted\nimgextract -kn b a.gz && imgstat b\nimgextract plain || imgstat plain || echo gone";
    assert_eq!(play(&mut world, script), Ok(()));
    let echoed: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(
        echoed,
        ["hello\n", "68656c6c6f\n", "no type\n", "6d6435\n", "c2hhMQ==\n", "extracted\n", "gone\n"]
    );
    assert!(world.said.contains("736861323536  motd\n"));
}

#[test]
fn what_is_in_an_archive_runs_in_its_place() {
    let files =
        [("s.gz", "GZ#!ipxe\necho inside ${x}"), ("k.gz", "GZELF"), ("d.gz", "GZdata"), ("g.gz", "GZGZELF")];
    let mut world = World::new(&files);
    let script = "set x y\nchain s.gz\nkernel k.gz args\nimgfetch --name d.gz d.gz\nboot\nimgstat k.gz\n\
                  chain d.gz || chain g.gz || echo neither\nimgtrust\nchain --name again k.gz || echo untrusted";
    assert_eq!(play(&mut world, script), Ok(()));
    let log: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(log, ["inside y\n", "boot k.gz [args] with s.gz,d.gz", "neither\n", "untrusted\n"]);
    // These may be unpacked while they come.
    assert_eq!(world.runs, ["s.gz", "k.gz", "g.gz"]);
    assert!(world.said.contains("k.gz : 3 bytes [elf]"), "{}", world.said);
}
