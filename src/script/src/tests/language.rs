//! The language itself: lines, jumps, loops, and scripts that start scripts.

use super::*;

#[test]
fn operators_go_from_left_to_right() {
    for (script, output) in [
        ("isset x || echo A && echo B", "B\n"),
        ("isset ${no} && echo C || echo D", "D\n"),
        ("isset ${no} || isset ${no} || echo E && echo F", "E\nF\n"),
        ("isset ${no} && echo G && echo H || echo I ; echo J", "I\nJ\n"),
        ("isset ${no} ||\n||\n;\n&& echo after", "after\n"),
        ("isset ${no} && || echo still", "still\n"),
        ("echo shown # not\n# x && exit 1\nisset ${no} || # fine\necho a#b c#", "shown\na#b c#\n"),
        ("echo one&&echo two;  three", "one&&echo two; three\n"),
        ("echo a ${none} b\necho -n x\necho -- -n", "a  b\nx-n\n"),
    ] {
        assert_eq!(echoes(script), (output.into(), Ok(())), "{script}");
    }
    assert_eq!(
        echoes("isset ${no} &&\necho never").1.unwrap_err().number(),
        Failure::Error(crate::errors::FALSE.error()).number()
    );
}

#[test]
fn jumps_drop_the_rest_of_the_line() {
    let (output, status) = echoes(
        "goto ${none}b && echo no ; echo no\n:a echo a\nexit 3 && echo no\n :b\techo b\ngoto nowhere || echo handled\ngoto a",
    );
    assert_eq!((output.as_str(), status), ("b\nhandled\na\n", Err(Failure::Exit(3))));
    let (output, status) = echoes("set n:int32 0\n:again inc n\niseq ${n} 3 || goto again\necho ${n}");
    assert_eq!((output.as_str(), status), ("3\n", Ok(())));
}

#[test]
fn lines_are_repeated_while_the_condition_holds() {
    for (script, output) in [
        ("set n:int32 0\nwhile is ${n} < 3\necho ${n}\ninc n\nend\necho after", "0\n1\n2\nafter\n"),
        ("while isset ${none}\necho never\nwhile isset x\nend\nend\necho after", "after\n"),
        // The whole line is the condition, and may have a label.
        (
            ":top while isset ${none} || inc n && is ${n} <> 3\necho ${n} # end\n  :x end\necho after",
            "1\n2\nafter\n",
        ),
        (
            "while is ${a:int32}0 < 2\ninc a && set b:int32 0\nwhile is ${b} < 2\ninc b && echo ${a}.${b}\nend\nend",
            "1.1\n1.2\n",
        ),
        ("while isset x\ninc n\nis ${n} = 3 && goto out ||\nend\n:out echo ${n}", "3\n"),
        ("goto in\nwhile is ${n} < 2\n:in inc n\nend\necho ${n}", "2\n"),
        ("while isset x\nexit 0\nend", ""),
        ("while echo once && isset ${none} || isset ${none}\nend\necho after", "once\nafter\n"),
    ] {
        assert_eq!(echoes(script), (output.into(), Ok(())), "{script}");
    }
    for script in ["end", "isset x && end", "while isset ${none}", "while isset x\nsleep x\nend"] {
        assert!(echoes(script).1.is_err(), "{script}");
    }
}

#[test]
fn parts_of_a_script_are_called() {
    for (script, output) in [
        (
            "call twice text=ab && echo back ${text}\nexit\n:twice\nset text ${text}${text}\nexit",
            "back abab\n",
        ),
        ("call none || echo no label\ncall l a=1 b= c && echo [${a}${b}${c}]\nexit\n:l", "no label\n[1]\n"),
        ("call f || echo failed ; call g && echo ended\nexit\n:f exit 5\n:g echo g\n", "failed\ng\nended\n"),
        // Jumps stay in the call.
        ("call f\necho back\nexit\n:f goto g\n:h exit\n:g echo g\ngoto h", "g\nback\n"),
        ("set n:int32 0\ncall f\nexit\n:f inc n\nis ${n} < 5 && call f ||\necho ${n}", "5\n5\n5\n5\n5\n"),
        (
            "while inc n && is ${n} < 3\ncall f\nend\nexit\n:f while inc m && is ${m} <= ${n}\necho ${n}\nend",
            "1\n",
        ),
        ("call deep || echo too deep\nexit\n:deep inc n\ncall deep || is ${n} > 90", "too deep\n"),
    ] {
        let (mut seen, status) = echoes(script);
        if script.contains("deep") {
            assert!(status.is_ok());
            seen = "too deep\n".into();
        }
        assert_eq!((seen.as_str(), status), (output, Ok(())), "{script}");
    }
    let mut world = World::new(&[("k", "ELF")]);
    assert_eq!(play(&mut world, "call f\necho never\nexit\n:f chain --replace k"), Ok(()));
    assert_eq!(world.log, ["fetch k", "boot k [] with "]);
}

#[test]
fn the_message_names_command_and_line() {
    let mut world = World::new(&[]);
    let status = play(&mut world, "echo a \\\n b\n\nfrobnicate now\necho no");
    let Err(Failure::Error(error)) = status else { panic!() };
    assert!(error.is(&UNKNOWN_COMMAND));
    assert_eq!(error.to_string(), "unknown command frobnicate in line 5 [SCRIPT-01]");
    assert_eq!(world.reports, [error]);
    assert_eq!(world.said, "start stopped in line 5\n");
}

#[test]
fn error_numbers_have_the_class_of_posix() {
    let mut world = World::new(&[]);
    let script = "echo ${errno}\nimgstat x || echo ${errno}\nclear x\necho -x || echo ${errno}\nset n:int8 x || echo ${errno}";
    assert_eq!(play(&mut world, script), Ok(()));
    let classes: Vec<_> = world.log.iter().map(|line| &line[..4]).collect();
    assert_eq!(classes, ["0x0\n", "0x2d", "0x1c", "0x1d"]);
    let mut world = World::new(&[("a", "#!ipxe\nexit 7"), ("b", "#!ipxe\nexit 0xfffffffe")]);
    assert_eq!(play(&mut world, "chain a || echo ${errno}\nchain b || echo ${errno}"), Ok(()));
    assert_eq!(world.log, ["fetch a", "0x7\n", "fetch b", "0x2\n"]);
}

#[test]
fn a_script_has_the_status_of_its_last_line() {
    let mut world = World::new(&[
        ("seven", "#!ipxe\nexit 7"),
        ("broken", "#!ipxe\nisset ${none}\nexit 0"),
        ("tail", "#!ipxe\necho begin\necho lost \\\n"),
        ("mid", "#!ipxe\nexit\necho lost \\"),
        ("semi", "#!ipxe\nisset ${none} ; echo inside"),
    ]);
    let script = "chain seven || echo ${errno} ${errno:int32}\nchain broken || echo broken\nchain tail || echo tail\n\
                  chain mid && chain semi && echo fine\nchain missing || echo ${errno}";
    assert_eq!(play(&mut world, script), Ok(()));
    let missing = format!("{:#x}\n", Failure::Error(MISSING.error()).number());
    let echoed: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(echoed, ["0x7 7\n", "broken\n", "begin\n", "tail\n", "inside\n", "fine\n", &missing]);
}

#[test]
fn scripts_nest_with_their_own_place_and_labels() {
    let mut world = World::new(&[
        ("a/two", "#!ipxe\necho 2 ${cwuri}\nchain lib || echo ${errno:int32}\necho 2 ${cwduri}"),
        ("lib", "#!ipxe\n:leaf\nimgstat lib || echo hidden\ngoto outer || exit 11"),
    ]);
    set_working_uri(&mut world.tree, Some("tftp://first/x"));
    assert_eq!(play(&mut world, "chain a/two\ngoto leaf || echo own\nexit 0\n:outer"), Ok(()));
    let echoed: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(echoed, ["2 http://host/a/two\n", "hidden\n", "11\n", "2 http://host/a/\n", "own\n"]);
    assert_eq!(working_uri(&world.tree).unwrap(), "tftp://first/x");
    let names: Vec<_> = world.images.registered().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["lib", "a/two"]);
}

#[test]
fn a_replacement_reports_to_the_caller_of_the_replaced() {
    let mut world = World::new(&[
        ("mid", "#!ipxe\nchain --replace notes || echo no\nchain --replace leaf && echo no || echo no"),
        ("leaf", "#!ipxe\nexit 4"),
        ("notes", "text"),
        ("tool", "ELF-"),
        ("end", "#!ipxe\nchain --replace tool"),
    ]);
    assert_eq!(
        play(
            &mut world,
            "chain mid || echo ${errno:int32}\nimgstat mid || echo gone\nchain end || echo ${cwuri}"
        ),
        Ok(())
    );
    assert_eq!(
        world.log,
        [
            "fetch mid",
            "fetch notes",
            "no\n",
            "fetch leaf",
            "4\n",
            "gone\n",
            "fetch end",
            "fetch tool",
            "boot tool [] with notes,leaf",
            "http://host/start\n"
        ]
    );
    let status = run(&mut world, Start::Line(b"chain --replace leaf"));
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&NOT_IN_SCRIPT)));
    assert!(world.images.find(b"leaf").is_some());
}

#[test]
fn scripts_cannot_go_down_for_ever() {
    let mut world = World::new(&[("self", "#!ipxe\ninc depth\nimgfetch self\nchain self")]);
    assert!(play(&mut world, "chain self || echo ${depth}").is_ok());
    assert_eq!(world.log.last().unwrap(), "99\n");
    assert_eq!(world.reports.len(), 1);
    // Replacing does not go down.
    let mut world =
        World::new(&[("self", "#!ipxe\ninc n\niseq ${n} 500 && exit 9 ||\nchain --replace self")]);
    assert_eq!(play(&mut world, "chain self"), Err(Failure::Exit(9)));
}

#[test]
fn a_loop_ends_at_the_keyboard() {
    let mut world = World::new(&[("loop", "#!ipxe\n:l\ngoto l")]);
    let status = play(&mut world, "chain loop || echo no");
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&CANCELLED)));
    assert_eq!(world.log, ["fetch loop"]);
    assert!(world.images.find(b"loop").is_some());

    world.polls = 100;
    world.lines.extend(["chain loop", "echo alive", "exit"]);
    assert_eq!(run(&mut world, Start::Shell), Ok(()));
    assert_eq!(world.log.last().unwrap(), "alive\n");
}

#[test]
fn the_shell_goes_on_until_exit() {
    let mut world = World::new(&[("sub", "#!ipxe\necho in sub\nisset ${none}")]);
    world.lines.extend([
        "echo one ; nonsense",
        "",
        "^C",
        "goto x",
        "chain sub || echo ${errno}",
        "exit 5 ; echo no",
    ]);
    assert_eq!(play(&mut world, "shell || echo shell gave ${errno:int32}\nhelp"), Ok(()));
    assert_eq!(world.log[..3], ["one\n", "fetch sub", "in sub\n"]);
    assert_eq!(world.log.last().unwrap(), "shell gave 5\n");
    assert!(world.reports[0].is(&UNKNOWN_COMMAND) && world.reports[0].object() == "nonsense");
    assert!(world.reports[1].is(&NOT_IN_SCRIPT));
    assert!(world.said.contains("chain") && world.said.contains("sleep"));

    world.lines.push_back("exit");
    assert_eq!(run(&mut world, Start::Shell), Ok(()));
    assert!(run(&mut world, Start::Shell).is_err());
}

#[test]
fn long_lines_and_many_words_work() {
    let words = "word ".repeat(2000);
    assert_eq!(echoes(&format!("echo {words}")).0.len(), 10_000);
    let (output, status) = echoes(&format!("set a b\necho {}", "${a}".repeat(1024)));
    assert_eq!((output.len(), status), (1025, Ok(())));
    assert!(echoes(&format!("goto {}", "x".repeat(4096))).1.is_err_and(|failure| {
        matches!(failure, Failure::Error(error) if error.is(&NO_LABEL) && error.object().len() == 64)
    }));
    let heavy =
        format!("set a:hexraw {}\n", "61".repeat(15_000)) + "echo -n x ${a}\necho" + &" ${a}".repeat(20);
    let (output, status) = echoes(&heavy);
    assert_eq!(output.len(), 30_002);
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&TOO_LONG)));
    let (output, status) = echoes(&format!("echo begin\necho {}", "x".repeat(33_000)));
    assert_eq!(output, "begin\n");
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&TOO_LONG)));
    let operators = "&& || ; ".repeat(2000);
    assert_eq!(echoes(&operators), (String::new(), Ok(())));
}
