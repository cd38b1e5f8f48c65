//! Any script, and any bytes.

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_script_ends(text in proptest::collection::vec(prop::sample::select(&[
        "set", "x", "y", "${x}", "${${y}}", "${", "}", "goto", ":l", "l", "exit", "||", "&&", ";", "#", "\\\n", "\n", "\n", "\n", "echo",
        "chain", "self", "--replace", "-ra", "shell", "imgfree", "boot", "kernel", "data", "-n", "--", "inc", "isset", "iseq", "sleep", "0x7",
        "help", "imgstat", "dhcp", "netX", "menu", "item", "choose", "present", "form", "read", "param", "params", "x##params", "time",
        "imgset", "imgverify", "imgtrust", "ifclose", "ifopen", "md5sum", "imgextract", "-k", "prompt", "show", "clear", "${cwuri}", "cwuri", "\u{fe}", "imgargs", "imgfetch", "--name=self",
    ][..]), 0..80)) {
        let script = text.join(" ");
        let mut world = World::new(&[("self", "#!ipxe\n"), ("data", "ELF")]);
        world.files[0].1.extend_from_slice(script.as_bytes());
        world.polls = 300;
        set_working_uri(&mut world.tree, Some("http://host/"));
        let _ = play(&mut world, &script);
        prop_assert_eq!(working_uri(&world.tree).unwrap(), "http://host/");
    }

    #[test]
    fn any_bytes_are_fine(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut world = World::new(&[]);
        let _ = run(&mut world, Start::Line(&line));
    }
}
