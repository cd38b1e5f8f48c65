//! Menus, forms, lines that are typed, and parameters of requests.

use super::*;

#[test]
fn menus_are_written_shown_and_used_up() {
    let mut world = World::new(&[]);
    world.keys.extend([Some(98), None, Some(0x73), Some(99)]);
    let script = "item a A || echo no menu\nmenu Which  one\nitem --gap top\nitem a A\nitem -k b --default b B two\nitem\n\
                  choose --timeout 5000 x && echo ${x}\nchoose x || echo used up\n\
                  form --name ${none} Other\nitem --form= -k 0x73 s\nitem --menu ${none} --key c c C\n\
                  choose --menu= --keep x || echo cancelled ${x}\nchoose -m ${none} -kd c x && echo ${x}\n\
                  choose --menu ${none} --default nope y:uint8 || echo refused [${y}]\n\
                  menu --name gaps\nitem --menu gaps\nchoose --menu gaps x || choose --menu gaps x || echo none\n\
                  menu --name m\nmenu --name m --delete\nitem -m m a || echo deleted\nmenu\nitem --key 1x a || echo no key";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "no menu\n",
            "choose Which one 2 5000",
            "b\n",
            "used up\n",
            "choose Other 0 0",
            "cancelled b\n",
            "choose Other 1 0",
            "s\n",
            "choose Other 0 0",
            "refused []\n",
            "none\n",
            "deleted\n",
            "no key\n",
        ]
    );
}

#[test]
fn a_form_stays_until_everything_fits() {
    let mut world = World::new(&[]);
    world.lines.extend(["alice", "", "x", "=", "", "7", "^C"]);
    let script = "set port:int16 80\nset net0/user guest\nform Who\nitem user Name\nitem --gap text\nitem --secret port:int16 Port\n\
                  present --keep && echo ${user} ${port}\npresent || echo cancelled\npresent || echo gone\n\
                  form\nitem x:nonsense\npresent || echo no type";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "present Who [guest,,80] None",
            "present Who [alice,,x] Some(2)",
            "alice 7\n",
            "present Who [alice,,7] None",
            "cancelled\n",
            "gone\n",
            "no type\n",
        ]
    );
}

#[test]
fn a_field_without_a_type_is_text() {
    let mut world = World::new(&[]);
    world.lines.extend(["=", "B", "="]);
    let script = "set n:uint8 65\nset m:uint8 65\nset gone:int16 5\nform Types\nitem n\nitem m\nitem gone\npresent\n\
                  echo ${n} ${n:uint8} ${m} [${gone}]";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log, ["present Types [A,A,] None", "A 0x41 B []\n"]);
}

#[test]
fn large_menus_and_forms_work_and_have_an_end() {
    let mut world = World::new(&[]);
    world.keys.push_back(Some(u32::from(b'z')));
    let items: String = (1..500).map(|item| format!("item i{item} Item {item}\n")).collect();
    let script = format!(
        "menu Large\n{items}item --key z last The last one\nchoose name && echo ${{name}}\n\
         set text {}\nmenu Endless\n:more inc n && item ${{n}} ${{text}} && goto more || echo ${{n}}\n\
         params\n:most inc m && param ${{m}} ${{text}} && goto most || echo ${{m}}",
        "x".repeat(10_000)
    );
    assert_eq!(play(&mut world, &script), Ok(()));
    assert_eq!(world.log, ["choose Large 0 0", "last\n", "27\n", "27\n"]);
    assert!(world.reports.iter().all(|error| error.is(&TOO_LONG)));
}

#[test]
fn a_line_is_stored_with_the_type_of_what_was_there() {
    let mut world = World::new(&[]);
    world.lines.extend(["0x10", "many", "", "two  words", "^C"]);
    let script = "set n:int8 5\nread n && echo ${n}\nread n || echo kept ${n}\nread n\nisset ${n} || echo removed\n\
                  read a.b/n && echo ${n}\nread ip:ipv4 || echo cancelled";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "read n [5]",
            "16\n",
            "read n [16]",
            "kept 16\n",
            "read n [16]",
            "removed\n",
            "read a.b/n []",
            "two  words\n",
            "read ip:ipv4 []",
            "cancelled\n",
        ]
    );
}

#[test]
fn parameters_go_with_one_request() {
    let mut world = World::new(&[("x", "data")]);
    let script = "param a b || echo no list\nparams\nparam key two  words\nparam -H X-Id 7\nimgfetch x##params\nimgfetch x##params\n\
                  params --name p --method PUT\nparam --params p a\nimgfetch missing##params=p || imgfetch x##params=p\n\
                  params -n p\nparams -dn p\nparam --params p a || echo deleted";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "no list\n",
            "fetch x key=two words header X-Id=7",
            "fetch x",
            "fetch missing a=",
            "fetch x",
            "deleted\n"
        ]
    );
}
