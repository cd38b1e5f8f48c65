//! Options and arguments, and what is left to the machine.

use super::*;

#[test]
fn options_are_read_as_they_always_were() {
    for bad in [
        "imgfetch -qz x",
        "imgfetch -t one x",
        "imgfetch -qn",
        "imgfetch --name -x x",
        "prompt --time 5",
        "prompt --timeout=soon",
        "prompt --timeout ${none} x",
        "chain --autofree=yes x",
        "echo - single",
        "echo --help",
        "set -h",
        "exit 1 2",
        "exit soon",
        "goto a b",
        "iseq a",
        "set",
        "set -5 x",
        "isset -1",
        "dhcp -c warp",
        "imgfetch a --name",
        "sleep",
        "clear a b",
        "chain -rx",
    ] {
        let mut world = World::new(&[("x", "data")]);
        let status = play(&mut world, bad);
        assert!(matches!(status, Err(Failure::Error(_))), "{bad}");
        assert!(world.log.iter().all(|line| line.starts_with("fetch a")), "{bad}: {:?}", world.log);
    }
    let mut world = World::new(&[]);
    world.keys.extend([Some(97), Some(0x11_197e), Some(27), None]);
    let script = "prompt --timeout 10 --timeout=1500 -k a first  one && echo 1\nprompt --key 0x197e && echo 2\n\
                  prompt -kb || echo 3\nprompt || echo 4\nisset -- -1 && iseq -- -1 -1 && echo 5\ndhcp --wrong || reboot -w";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "prompt first one 1500",
            "1\n",
            "prompt  0",
            "2\n",
            "prompt  0",
            "3\n",
            "prompt  0",
            "4\n",
            "5\n",
            "reboot -w"
        ]
    );
    assert!(world.reports.last().unwrap().is(&UNKNOWN_OPTION));
    assert!(world.said.starts_with("usage: dhcp|ifconf [--configurator NAME]"));
}

#[test]
fn the_table_of_commands_is_sound() {
    assert!(COMMANDS.iter().flat_map(|command| command.names().next()).is_sorted());
    for command in COMMANDS {
        let (least, most) = command.arity();
        assert!(least <= most, "{}", command.usage);
        for (index, option) in command.options().enumerate() {
            let mut others = command.options().skip(index + 1);
            assert!(others.all(|other| other.short != option.short && other.long != option.long));
            assert!(option.short != b'h' && option.long != "help", "{}", command.usage);
        }
    }
    let of = |name: &[u8]| Command::named(name).unwrap();
    assert_eq!(of(b"item").arity(), (0, usize::MAX));
    assert_eq!(of(b"inc").arity(), (1, 2));
    assert_eq!(of(b"md5sum").arity(), (1, usize::MAX));
    assert_eq!(of(b"login").arity(), (0, 0));
    assert_eq!(of(b"sanboot").options().count(), 7);
    let shim: Vec<_> =
        of(b"shim").options().map(|option| (option.short, option.long, option.takes)).collect();
    assert_eq!(shim[0], (b't', "timeout", Takes::Number));
    assert_eq!(shim[2], (b'l', "require-loader", Takes::Nothing));
    assert_eq!(of(b"chain").argument_names().collect::<Vec<_>>(), ["URI|IMAGE", "ARGUMENT"]);
}

#[test]
fn what_only_the_machine_can_do_is_checked_first() {
    let mut world = World::new(&[]);
    let script = "sleep soon || sleep 0x2\ncpuid || cpuid --ext 29\nping -c 2x h || ping --count 2 h || echo no answer\n\
                  time time echo x\ntime frobnicate || time sleep 1 x || time || echo bad\ntime goto l\n:l\nconsole --x 1024 -y 768 --keep\n\
                  poweroff || echo never\necho never";
    let status = play(&mut world, script);
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&crate::errors::LEFT)));
    assert_eq!(
        world.log,
        [
            "sleep 0x2",
            "cpuid --ext 29",
            "ping --count 2 h",
            "no answer\n",
            "x\n",
            "bad\n",
            "console --x 1024 -y 768 --keep",
            "poweroff"
        ]
    );
    assert!(world.said.contains("time: 1.5 s\n"));
}
