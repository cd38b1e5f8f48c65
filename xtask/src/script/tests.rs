//! Cases of our own in the form of `script conform`: one family of rules each, from the script to its effects.

use super::scenario::Scenario;
use super::world::play;
use serde_json::{Value, json};

const HERE: &str = "http://server.test/lab/first.ipxe";

/// The effects of a script in a world that differs from an empty one by `world`.
#[track_caller]
fn effects(script: &str, world: Value) -> Vec<Value> {
    let mut case = json!({
        "script": [{"uri": HERE, "text": format!("#!ipxe\n{script}")}],
        "settings": {
            "platform": "pcbios", "buildarch": "x86_64", "version": "2.0.0+",
            "nics": [
                {"name": "net0", "mac": "02:00:00:00:00:0a", "chip": "virtio-net"},
                {"name": "net1", "mac": "02:00:00:00:00:0b", "chip": "virtio-net"},
            ],
        },
    });
    for (name, value) in world.as_object().unwrap() {
        if name == "script" {
            case["script"].as_array_mut().unwrap().extend(value.as_array().unwrap().clone());
        } else if name == "settings" {
            case["settings"].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        } else {
            case[name] = value.clone();
        }
    }
    let scenario: Scenario = serde_json::from_value(case).unwrap();
    play(scenario).unwrap()
}

/// What a script echoes, if it does nothing else and succeeds.
#[track_caller]
fn echoed(script: &str, world: Value) -> String {
    let mut effects = effects(script, world);
    assert_eq!(effects.pop(), Some(json!({"final": {}})));
    assert_eq!(effects.pop(), Some(json!({"script_end": {"status": "success", "exit_code": 0}})));
    effects.iter().map(|effect| effect["echo"].as_str().unwrap_or("?")).collect()
}

fn ended(status: &str, code: Value) -> [Value; 2] {
    [json!({"script_end": {"status": status, "exit_code": code}}), json!({"final": {}})]
}

/// The cases that boot scenarios replay in the image.
#[test]
fn replayed_cases_have_these_effects_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let wanted = case["expect"].take();
        let effects = play(serde_json::from_value(case).unwrap()).unwrap();
        assert_eq!(Value::from(effects), wanted, "{}", path.display());
    }
}

#[test]
fn what_is_no_script_ends_at_once() {
    for text in ["#!IPXE\necho x", "#!ipxe", "", "#!ipxe-2\n"] {
        let case = json!({"script": [{"uri": HERE, "text": text}]});
        assert_eq!(
            play(serde_json::from_value(case).unwrap()).unwrap(),
            ended("failure", Value::Null),
            "{text}"
        );
    }
}

#[test]
fn a_run_ends_with_a_status() {
    assert_eq!(effects("exit 0x11 ; echo no", json!({})), ended("failure", json!(17)));
    assert_eq!(effects("exit", json!({})), ended("success", json!(0)));
    assert_eq!(effects("nonsense", json!({})), ended("failure", Value::Null));
    assert_eq!(effects("exit -- -3", json!({})), ended("failure", Value::Null));
}

#[test]
fn nested_scripts_resolve_against_themselves() {
    let world = json!({
        "script": [
            {"uri": "http://server.test/lab/in/second.ipxe", "text": "#!ipxe\necho ${cwduri}\nimgfetch ../blob"},
            {"uri": "http://server.test/lab/third.ipxe", "text": "#!gpxe \nexit 9"},
        ],
        "responses": {"requests": {"http://server.test/lab/blob": {"result": "ok", "content": "data"}}},
        "report": ["cwuri", "errno"],
    });
    let request = |uri: &str, outcome: &str| json!({"request": uri, "outcome": outcome});
    assert_eq!(
        effects("chain in/second.ipxe\nchain third.ipxe || echo ${errno:int32}\nchain fourth.ipxe ||", world)
            [..6],
        [
            request("http://server.test/lab/in/second.ipxe", "ok"),
            json!({"echo": "http://server.test/lab/in/\n"}),
            request("http://server.test/lab/blob", "ok"),
            request("http://server.test/lab/third.ipxe", "ok"),
            json!({"echo": "9\n"}),
            request("http://server.test/lab/fourth.ipxe", "fail"),
        ]
    );
}

#[test]
fn a_kernel_is_told_what_was_written() {
    let program = json!({"result": "ok", "content": "executable"});
    let data = json!({"result": "ok", "content": "data"});
    let world = json!({
        "responses": {"requests": {
            "http://server.test/lab/vmlinuz": program,
            "http://server.test/lab/memdisk": program,
            "http://server.test/root.img": data,
            "http://server.test/lab/My%20File%20(1)": data,
        }, "boot": {"memdisk": ["fail", "ok"]}},
        "settings": {"values": [["name", "My File (1)"]]},
        "report": ["name"],
    });
    let script = "chain memdisk raw || echo failed\nkernel vmlinuz  a  ${none} b\ninitrd ${name}\ninitrd --name r /root.img x\nchain memdisk iso\nboot";
    let effects = effects(script, world);
    let others = json!([{"name": "My File (1)", "args": ""}, {"name": "r", "args": "x"}, {"name": "memdisk", "args": "iso"}]);
    assert_eq!(
        effects[effects.len() - 3..],
        [
            json!({"boot": {"image": "memdisk", "args": "iso", "other_images": [
                {"name": "vmlinuz", "args": "a  b"}, others[0], others[1]], "outcome": "ok"}}),
            json!({"boot": {"image": "vmlinuz", "args": "a  b", "other_images": others}}),
            json!({"final": {"name": "My File (1)"}}),
        ]
    );
}

#[test]
fn cards_open_in_turn() {
    let script = "dhcp && echo ${netX/ifname} ${hostname}\nifopen net0\necho ${mac}\nifclose\nset netX/x 1 || echo none open\n\
                  set net0/mac 02:00:00:00:00:ff\nclear net0/mac\necho ${net0/mac} ${net1/busloc:busdevfn} ${net1/busid}";
    let world = json!({"responses": {"configure": [
        {"result": "fail"},
        {"result": "ok", "sets": [["net1.dhcp/hostname", "b"], ["net0/hostname", "a"]]},
    ]}});
    let effects = effects(script, world);
    let configure = |card: &str, outcome: &str| json!({"configure": {"interface": card, "configurator": null, "outcome": outcome}});
    let echo = |text: &str| json!({ "echo": text });
    assert_eq!(
        effects[..6],
        [
            configure("net0", "fail"),
            configure("net1", "ok"),
            echo("net1 b\n"),
            echo("02:00:00:00:00:0a\n"),
            echo("none open\n"),
            echo("02:00:00:00:00:0a 0000:00:04.0 01:80:86:10:0e\n"),
        ]
    );
}

#[test]
fn the_user_answers_in_order() {
    let script = "prompt --key 0x80 --timeout 0x100 Now\nread wait:uint16\nmenu A  menu\nitem --gap -- -\nitem -k 1 one First\nitem two\n\
                  choose --default two --timeout ${wait} it\necho ${it}\nform F\nitem it It\nitem -s n:int8 Number\npresent && echo ${it}/${n}";
    let world = json!({
        "choices": [
            {"type": "prompt", "key": 0x80},
            {"type": "read", "text": "900"},
            {"type": "menu", "key": "1"},
            {"type": "form", "values": {"n:int8": "many"}},
            {"type": "form", "values": {"n:int8": "7", "it": "x"}, "after_error": true},
        ],
    });
    let items = json!([[null, "-"], ["one", "First"], ["two", ""]]);
    let fields = json!([["it", "It", false], ["n:int8", "Number", true]]);
    let mut expected = vec![
        json!({"prompt": {"text": "Now", "key": 0x11_0080, "timeout_ms": 256, "user": {"key": 0x80}}}),
        json!({"read": {"setting": "wait:uint16", "prefill": "", "user": {"text": "900"}}}),
        json!({"menu": {"title": "A menu", "items": items, "initial_selection": "two", "timeout_ms": 900, "user": {"key": "1"}}}),
        json!({"echo": "one\n"}),
        json!({"form": {"title": "F", "items": fields, "user": {"values": {"n:int8": "many"}}}}),
        json!({"form": {"title": "F", "items": fields, "user": {"values": {"n:int8": "7", "it": "x"}, "after_error": true}}}),
        json!({"echo": "x/7\n"}),
    ];
    expected.extend(ended("success", json!(0)));
    assert_eq!(effects(script, world), expected);
}

#[test]
fn parameters_are_sent_once() {
    let script = "params --method PATCH\nparam a 1  2\nparam -H X-Y z\nimgfetch q?r##params && imgset v q\nimgfetch q?r##params || echo ${v}";
    let world = json!({"responses": {"requests": {"http://server.test/lab/q?r": [
        {"result": "ok", "content": "data", "text": "${version}"}, {"result": "not-found"},
    ]}}});
    let mut expected = vec![
        json!({"request": "http://server.test/lab/q?r", "outcome": "ok", "post_params": [["a", "1 2"]],
            "headers": [["X-Y", "z"]], "method": "PATCH"}),
        json!({"request": "http://server.test/lab/q?r", "outcome": "fail"}),
        json!({"echo": "2.0.0+\n"}),
    ];
    expected.extend(ended("success", json!(0)));
    assert_eq!(effects(script, world), expected);
}

#[test]
fn the_machine_carries_out_commands() {
    let script = "nslookup a b && echo ${a}\nnslookup a c || time ping -c 1 ${a}\nshell\nsleep x || imgmem 0 1 || poweroff";
    let world = json!({"responses": {"commands": [
        {"match": "nslookup a b", "results": [{"result": "ok", "sets": [["a:ipv4", "192.0.2.1"]]}]},
        {"match": "nslookup", "results": [{"result": "fail"}]},
    ]}});
    let command = |words: Value, outcome: &str| json!({"command": words, "outcome": outcome});
    assert_eq!(
        effects(script, world),
        [
            command(json!(["nslookup", "a", "b"]), "ok"),
            json!({"echo": "192.0.2.1\n"}),
            command(json!(["nslookup", "a", "c"]), "fail"),
            command(json!(["ping", "-c", "1", "192.0.2.1"]), "ok"),
            command(json!(["shell"]), "ok"),
            command(json!(["poweroff"]), "terminal"),
            json!({"final": {}}),
        ]
    );
}

#[test]
fn signatures_and_digests() {
    let data = json!({"result": "ok", "content": "data", "text": "abc"});
    let world = json!({"responses": {
        "requests": {
            "http://server.test/lab/k": {"result": "ok", "content": "executable"},
            "http://server.test/lab/k.sig": data,
            "http://server.test/lab/abc": data,
        },
        "boot": {"k": ["ok"]},
    }});
    // FIPS 180-4 and RFC 1321 give these digests of "abc".
    let script = "imgtrust --permanent\nchain k || imgverify k k.sig\nboot k || imgtrust -a || chain k\n\
                  sha1sum -s s abc && echo ${s}\nmd5sum -s s abc && echo ${s}\nsha256sum -s s abc && echo ${s}\n\
                  sha512sum -s s:base64 abc && echo ${s}";
    let effects = effects(script, world);
    assert_eq!(effects[2], json!({"verify": "k", "outcome": "ok"}));
    assert_eq!(effects[3]["boot"]["outcome"], "ok");
    let echoed: Vec<_> = effects.iter().filter_map(|effect| effect["echo"].as_str()).collect();
    assert_eq!(
        echoed,
        [
            "a9993e364706816aba3e25717850c26c9cd0d89d\n",
            "900150983cd24fb0d6963f7d28e17f72\n",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
            "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==\n",
        ]
    );
}

#[test]
fn settings_are_found_where_they_should_be() {
    let world = json!({"settings": {"values": [
        ["net0.dhcp/filename", "zero"], ["net1.dhcp/filename", "one"], ["net1.dhcp/priority", "2"], ["uuid", "0A0B0C0D-0000-0000-0000-000000000001"],
    ]}});
    let script = "echo ${filename} ${67:hexhyp} ${net0/filename}\nclear net1.dhcp/175.1\necho ${filename}\nset x:hexraw 00ff\n\
                  echo ${x} ${x:int16} ${x:uint8} [${x:ipv4}] ${uuid:guid}\nset y:ipv6 FE80:0::1\necho ${y} ${z${net0/mac:nothing}b";
    assert_eq!(
        echoed(script, world),
        "one 6f-6e-65 zero\nzero\n00ff 255 0xff [] 0d0c0b0a-0000-0000-0000-000000000001\nfe80::1 ${zb\n"
    );
}

#[test]
fn odd_lines_and_values_are_taken() {
    let world = json!({"settings": {"values": [["odd", "a!(b)$;'c' \"d\"=%/\u{e9}"]]}});
    let script = "echo a\\\\\n\necho b\nset ${none} x && echo nameless [${}]\nset builtin/own 1 || echo refused\n\
                  clear side/x\ninc side/x 0x && echo ${side/x}\necho ${odd:uristring}\nset u:uristring %4z%\necho ${u}\n\
                  set w:uint8 200\ninc w:uint32\necho ${w} [${w:-}]\nshow u:ipv4 || echo not an address";
    assert_eq!(
        echoed(script, world),
        "aecho b\nnameless []\nrefused\n0\na!(b)$;'c'%20\"d\"%3D%25%2F%C3%A9\n%04z%25\n0xc9 []\nnot an address\n"
    );
}

#[test]
fn what_cannot_run_is_freed_if_that_was_asked_for() {
    let data = json!({"result": "ok", "content": "data", "text": "abc"});
    let world = json!({
        "responses": {"requests": {"http://server.test/lab/d%2Fe": data, "http://server.test/lab/f": data}},
        "report": ["errno"],
    });
    let script = "chain d%2Fe ||\nimgstat e && chain --autofree e ||\nimgstat e || echo gone\nchain -r -a f ||\nimgstat f && echo kept\n\
                  md5sum --set x:nothing f ||\nexit 7";
    let request = |uri: &str| json!({"request": uri, "outcome": "ok"});
    assert_eq!(
        effects(script, world),
        [
            request("http://server.test/lab/d%2Fe"),
            json!({"echo": "gone\n"}),
            request("http://server.test/lab/f"),
            json!({"echo": "kept\n"}),
            json!({"script_end": {"status": "failure", "exit_code": 7}}),
            json!({"final": {"errno": "0x7"}}),
        ]
    );
}

#[test]
fn odd_addresses_are_asked_for_as_written() {
    let script = "imgfetch tftp:/x ||\nimgfetch ${none}://h/x ||\nimgfetch http://u:p:q@h/ ||\nimgfetch http://h:0/ ||\n\
                  params\nparam a b\nimgfetch x##paramsy ||\nimgfetch x##params ||";
    let mut expected: Vec<_> =
        ["tftp:///x", "://h/x", "http://u:p%3Aq@h/", "http://h:0/", "http://server.test/lab/x"]
            .map(|uri| json!({"request": uri, "outcome": "fail"}))
            .into();
    expected
        .push(json!({"request": "http://server.test/lab/x", "outcome": "fail", "post_params": [["a", "b"]]}));
    expected.extend(ended("success", json!(0)));
    assert_eq!(effects(script, json!({})), expected);
}
