use super::*;
use std::path::Path;

/// What is found in one script, without the notes: line, column, sentence.
fn problems(text: &str, only_here: bool) -> Vec<(u32, usize, String)> {
    let found = find(&[("x.ipxe", text.as_bytes())], &[], only_here);
    let problems = found.into_iter().filter(|finding| !finding.is_note);
    problems.map(|finding| (finding.line, finding.column, finding.sentence)).collect()
}

/// What is written on a line, and what is to be found at the place marked by `^`.
const MISTAKES: &[(&str, &str)] = &[
    ("^ehco hello", "unknown command ehco"),
    ("echo a && ^ibstat", "ibstat is a command of iPXE that this firmware does not have"),
    ("^diag", "iPXE does not have the command diag"),
    ("^dmesg http://log.example/", "iPXE does not have the command dmesg"),
    ("prompt ^--time 5 wait", "unknown option --time"),
    ("time prompt ^-x", "unknown option -x"),
    ("chain ^--replace=yes x.ipxe", "unknown option --replace=yes"),
    ("initrd ^--name", "option --name needs a value"),
    ("initrd ^-n --quiet x", "option -n needs a value"),
    ("^iseq a", "too few arguments: iseq TEXT TEXT"),
    ("iseq a ${ip} ^c", "too many arguments: iseq TEXT TEXT"),
    ("exit 1 ^2 || echo here", "too many arguments: exit [NUMBER]"),
    ("choose ^--timout 5 x\ngoto end\n:end", "unknown option --timout"),
    ("sleep ^soon", "soon is not a number"),
    ("prompt --timeout ^5s wait", "5s is not a number"),
    ("inc n:int32 ^two", "two is not a number"),
    ("goto ^nowhere", "there is no label nowhere in this script"),
    ("goto ^boot_${net0/mac} || echo none", "there is no label boot_${} in this script"),
    ("goto ^Over || goto over\n:over", "there is no label Over in this script"),
    ("goto over\n:over\n^:over", "label over is in line 3 already, and goto finds only that one"),
    ("exit\n^:lost\necho lost", "label lost is never reached"),
    ("exit\n\n# a remark\n^echo lost", "this is never reached: the line before never goes on"),
    ("exit 0 ; ^echo lost", "this never runs: what stands before it never goes on"),
    (":top goto top\n^echo lost", "this is never reached: the line before never goes on"),
    ("chain --replace x.ipxe\n^echo lost", "this is never reached: the line before never goes on"),
    ("echo http://^${sevrer}/", "nothing sets sevrer, so ${sevrer} is always empty"),
    (
        "set site/name x && echo ${site/name} ^${site/nmae}",
        "nothing sets site/nmae, so ${site/nmae} is always empty",
    ),
    ("echo ${net0/mac} ^${mac:hexhyph}", "mac:hexhyph has a type that does not exist"),
    ("set ^port:int99 1", "port:int99 has a type that does not exist"),
    ("set net0/ip ^192.0.2.300", "192.0.2.300 is no value of the type ipv4"),
    ("set port:uint16 ^80 81", "80 81 is no value of the type uint16"),
    ("set ^name=value", "set takes the name and the value with a blank between them"),
    ("echo ^${net0/mac :hexhyp}", "this ${ has no } in the same word"),
    ("echo one \\\n  two \\\n ^${three}", "nothing sets three, so ${three} is always empty"),
    ("echo ä ^${three}", "nothing sets three, so ${three} is always empty"),
    (
        "menu\nitem a\nset t 1\nchoose --timeout ${t} system\necho ${system} ^${sytsem}",
        "nothing sets sytsem, so ${sytsem} is always empty",
    ),
    ("^echo end \\", "the script ends behind a backslash"),
    ("^calc n 1 + 2", "iPXE does not have the command calc"),
    ("^features https || echo none", "iPXE does not have the command features"),
    ("chain ^--sha256 00 x.ipxe", "chain of iPXE does not have the option --sha256"),
    ("echo ^${net0/mac:hexraw:-6}", "iPXE cannot cut slices out of settings"),
];

#[test]
fn each_mistake_is_found_where_it_is() {
    let both = [(MISTAKES, false), (MISTAKES_HERE, true)];
    for (list, only_here) in both {
        each_is_found(list, only_here);
    }
    assert_eq!(problems("echo\n", false)[0].0, 1, "no magic word");
}

fn each_is_found(list: &[(&str, &str)], only_here: bool) {
    for (marked, sentence) in list {
        let script = format!("#!ipxe\n{marked}");
        let before = script.split('^').next().unwrap();
        let line = before.split('\n').count();
        let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
        let found = problems(&script.replace('^', ""), only_here);
        let wanted = (u32::try_from(line).unwrap(), column, (*sentence).to_owned());
        assert_eq!(found, [wanted], "{marked}");
    }
}

/// The same in scripts for this firmware only.
const MISTAKES_HERE: &[(&str, &str)] = &[
    ("echo ^${net0/mac:hexrow:-6}", "net0/mac:hexrow has a type that does not exist"),
    ("^while isset ${ip}\necho a", "this while has no end"),
    ("echo a\n^end", "no while stands before this end"),
    ("isset ${ip} && ^while isset ${ip}", "while and end stand first in their lines"),
    ("while ^ehco a\nend", "unknown command ehco"),
    (
        "while isset ${ip}\ngoto out\n^echo lost\nend\n:out",
        "this is never reached: the line before never goes on",
    ),
    ("call ^part a=1", "there is no label part in this script"),
    ("call part\nexit\n:part\nexit\n^echo lost", "this is never reached: the line before never goes on"),
    ("call part a=1\necho ${a} ^${b}\nexit\n:part", "nothing sets b, so ${b} is always empty"),
    ("^is a", "too few arguments: is [--nocase] NUMBER|TEXT OPERATOR NUMBER|TEXT..."),
];

#[test]
fn what_may_be_right_is_left_alone() {
    for script in [
        // Values that nobody knows.
        "${command} a b c\nset command echo",
        "sleep ${seconds:int32}\nset seconds 1",
        "prompt ${option} --x\nset option --timeout=5",
        "item ${options} name text\nset options --gap",
        "choose --timeout ${t} target\nset t 1\necho ${target}",
        "goto ${net0/mac} || goto default\n:52-54-00-12-34-56\n:default",
        "goto a${ip}c || exit\n:abc",
        "set ip ${next-server}",
        // Settings from elsewhere.
        "echo ${67} ${175.1} ${smbios/1.4.8.0} ${pci/${net0/busloc}.0.2} ${netX.dhcp/x} ${proxydhcp/next-server}",
        "echo ${product} ${cwduri} ${unixtime} ${foo${net0/mac}}",
        "isset ${site} || set other 1\necho ${site}",
        "set a${ip} 1\necho ${a1}",
        "set deep.er/x 1\necho ${x} ${deep/x} ${deep.er/x:hex}",
        "form\nitem --secret pass Password\npresent\necho ${pass}",
        "sha1sum --set sum http://x.example/y\necho ${sum}",
        "nslookup server x.example && ping -c 1 ${server}",
        "login\necho ${username}",
        // Ways on.
        "goto end || shell\n:end",
        "exit ${errno} || echo cannot be\n",
        "iseq a b && exit ||\necho here",
        "isset ${ip} && exit 0 || exit 1",
        "chain --replace x.ipxe ||\necho here",
        "chain x.ipxe\necho here",
        ":retry dhcp || goto retry\nshell",
        "kernel x || # a remark\necho here",
        "set --help\n",
        "imgargs x a=b --c -d",
        "echo -- -x",
    ] {
        assert_eq!(problems(&format!("#!ipxe\n{script}"), false), [], "{script}");
    }
    for script in [
        "while inc n && is ${n} < 5\nwhile isset ${ip}\nend\nend\necho ${n:0:1}",
        ":a while isset ${ip}\ngoto b\nend\n:b call part text=x y=${n} || goto a\nexit\n:part echo ${text} ${y}\ncalc n 1 + 2",
        "goto in\nwhile isset ${ip}\n:in echo a\nend",
        "features https while || exit 1\nkernel --sha256 ${digest} x\nset digest 00",
        "call ${net0/mac} || echo none\nexit\n:52-54",
        "while exit\nend || echo a",
    ] {
        assert_eq!(problems(&format!("#!ipxe\n{script}"), true), [], "{script}");
    }
}

#[test]
fn what_stock_builds_lack_is_noted_once() {
    let script = b"#!ipxe\nparams\nparam a b\nparams\nboot\necho failed\n";
    let found = find(&[("x", script)], &[], false);
    let notes: Vec<_> = found.iter().map(|finding| (finding.line, finding.is_note)).collect();
    assert_eq!(notes, [(2, true), (3, true), (6, true)]);
    assert!(found[0].to_string().starts_with("x:2:1: note: iPXE for BIOS machines has params only"));
    assert!(found[2].sentence.contains("only if what was booted comes back"));
    let found = find(&[("x", b"#!ipxe\ndiag\nparams\n")], &[], true);
    assert!(found.is_empty(), "these scripts are not for iPXE");
}

#[test]
fn one_script_sets_what_another_uses() {
    let (first, second) = (&b"#!ipxe\nset server x\nchain b"[..], &b"#!ipxe\necho ${server} ${token}"[..]);
    let count = |scripts: &[(&str, &[u8])], set: &[String]| find(scripts, set, false).len();
    assert_eq!(count(&[("b", second)], &[]), 2);
    assert_eq!(count(&[("a", first), ("b", second)], &[]), 1);
    assert_eq!(count(&[("a", first), ("b", second)], &["token".to_owned()]), 0);
}

#[test]
fn the_examples_are_clean() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    for (folder, only_here, least) in [(folder.clone(), false, 15), (folder.join("only-here"), true, 1)] {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = files.filter(|file| file.is_file()).collect();
        assert!(files.len() >= least, "{files:?}");
        for file in files {
            let found = problems(&std::fs::read_to_string(&file).unwrap(), only_here);
            assert_eq!(found, [], "{}", file.display());
        }
    }
}

/// The script with one letter too much, at each place where that is a mistake: the line, and what is to be found there.
fn spoiled(text: &str) -> Vec<(String, u32, String)> {
    let mut all = Vec::new();
    let mut start = 0;
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let (mut before, mut is_behind_command) = (if goes_on { "word" } else { ";" }, false);
        for word in line.split([' ', '\n']) {
            let place = start;
            start += word.len() + 1;
            if word.is_empty() {
                continue;
            }
            if word.starts_with('#') {
                before = "#";
            }
            let is_plain = !word.contains(['$', '=', '\\']);
            let is_command = matches!(before, "&&" | "||" | ";") && word.starts_with(char::is_alphabetic);
            let mut spoil = |at: usize, found: String| {
                all.push((format!("{}x{}", &text[..place + at], &text[place + at..]), number, found));
            };
            match before {
                "#" => continue,
                "goto" if is_plain => spoil(word.len(), format!("there is no label {word}x in this script")),
                _ if is_command && is_plain => spoil(word.len(), format!("unknown command {word}x")),
                _ if is_behind_command && is_plain && word.starts_with("--") => {
                    spoil(word.len(), format!("unknown option {word}x"));
                }
                _ => {}
            }
            for (begin, _) in word.match_indices("${") {
                // A script that asks whether something is set means that it comes from elsewhere.
                if before == "isset" {
                    break;
                }
                let name = word[begin + 2..].split(['}', ':']).next().unwrap();
                if name.starts_with(char::is_alphabetic) && !name.contains(['$', '/', '.']) {
                    spoil(begin + 2 + name.len(), format!("nothing sets {name}x"));
                }
            }
            is_behind_command = is_command;
            before = if matches!(before, "&&" | "||" | ";") && word.starts_with(':') { ";" } else { word };
        }
        // The last piece stands behind the line feed and is nothing.
        start = start.saturating_sub(1);
        goes_on = line.trim_end().ends_with('\\');
    }
    all
}

#[test]
fn each_mistake_in_an_example_is_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let mut seeded = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for (script, line, sentence) in spoiled(&text) {
            let found = problems(&script, false);
            let is_it = |(at, _, said): &(u32, usize, String)| *at == line && said.starts_with(&sentence);
            assert!(found.iter().any(is_it), "{}:{line}: {sentence}: {found:?}", file.display());
            seeded += 1;
        }
    }
    assert!(seeded > 500, "{seeded}");
}

#[test]
fn no_script_is_too_odd() {
    for text in [
        "",
        "\n",
        "\\",
        "#!ipxe\n:",
        "#!ipxe\n${}",
        "#!ipxe\n|| && ;",
        "\0\0",
        "#!ipxe\n${${${}}}}",
        "#!ipxe\n: \\",
    ] {
        find(&[("x", text.as_bytes())], &[], false);
    }
    let deep = format!("#!ipxe\ngoto {}\n{}", "${a}-".repeat(2000), ":label-\n".repeat(100));
    find(&[("x", deep.as_bytes())], &[], false);
}
