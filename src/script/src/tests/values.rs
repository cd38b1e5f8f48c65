//! Settings, numbers and texts.

use super::*;

#[test]
fn settings_are_shown_and_counted() {
    let mut world = World::new(&[]);
    let script = "set a.b/c one  two\nshow c && show --quiet c\nshow nope || echo unset\ninc fresh\ninc fresh 0x10\necho ${fresh}\n\
                  set small:uint8 254\ninc small 3\necho ${small}\nset s 7\ninc s || echo text\ninc nowhere/x || echo no block\n\
                  inc fresh two || echo bad\nclear c\nclear c\nset c:int8 x || echo refused [${c}]";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.said, "a.b/c:string = one two\none two\nusage: inc SETTING [NUMBER]\n");
    assert_eq!(world.log.concat(), "unset\n17\n0x1\ntext\nno block\nbad\nrefused [one two]\n");
}

#[test]
fn numbers_and_texts_are_compared_and_numbers_computed() {
    let yes = [
        "2 < 10",
        "2 <= 2",
        "0x10 = 16",
        "-1 < 0",
        "3 <> 4",
        "4 >= 4",
        "1 + 1 = 2",
        "7 % 4 * 2 = 6",
        "1",
        "abc prefix ab",
        "--nocase Dell same dELL",
        "--nocase ABC prefix ab",
        "a prefix ${none}",
        "a same a",
    ];
    let no = ["2 > 10", "2 < 2", "1 - 1", "a same b", "A same a", "ab prefix abc", "ab prefix b", "0"];
    let faulty =
        ["a < b", "1 = ", "1 &&& 2", "1 / 0", "1 % 0 = 0", "1 + 2 +", "${none} = 0", "1 ${none} 1", "1 eq 1"];
    for (tests, outcome) in [(&yes[..], "yes\n"), (&no, "no\n"), (&faulty, "no\n")] {
        for test in tests {
            let short = test.split(' ').count() < 3;
            let script = format!("is {test}{} && echo yes || echo no", if short { " + 0" } else { "" });
            let mut world = World::new(&[]);
            let _ = play(&mut world, &script);
            assert_eq!(world.log, [outcome], "{script}");
            assert_eq!(
                world.reports.len(),
                usize::from(outcome == "no\n" && faulty.contains(test)),
                "{script}"
            );
        }
    }
    for (script, output) in [
        ("calc n 2 + 3 * 4\necho ${n}", "20\n"),
        ("calc n:uint8 7 / 2 - 4\necho ${n}", "0xff\n"),
        ("calc a.b/n -9 / 2\necho n ${n:int16}", "n -4\n"),
        ("set n 010\ncalc n ${n} * ${n}\necho ${n}", "64\n"),
        ("calc n 1 / 0 || echo none${n}", "none\n"),
        ("calc big:string 9223372036854775807 + 1\necho n ${big}", "n -9223372036854775808\n"),
        ("calc n -9223372036854775808 / -1 || echo none${n}", "none\n"),
        ("calc n 5 < 6 + 1\necho ${n}", "2\n"),
    ] {
        assert_eq!(echoes(script).0, output, "{script}");
    }
}

#[test]
fn scripts_ask_what_there_is() {
    let (output, _) = echoes(
        "features http while && echo both\nfeatures HTTPS || echo no HTTPS\nfeatures tftp htt || echo no\n",
    );
    assert_eq!(output, "both\nno HTTPS\nno\n");
    let mut world = World::new(&[]);
    assert_eq!(play(&mut world, "features"), Ok(()));
    assert!(world.said.starts_with("HTTP TFTP calc "));
}
