#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

fn read(script: &str) -> Vec<String> {
    let all = commands(script).unwrap_or_else(|| panic!("not followed: {script}"));
    all.iter()
        .map(|one| {
            let words: Vec<_> = one.words.iter().map(|word| word.text.as_str()).collect();
            format!(
                "{}:{} {}{}",
                one.line,
                words.join(" "),
                "(".repeat(one.subshells),
                "{".repeat(one.nested)
            )
            .trim_end()
            .to_owned()
        })
        .collect()
}

#[test]
fn commands_words_and_nesting() {
    assert_eq!(
        read("a b; c && d || e | f & g"),
        ["0:a b", "0:c", "0:d", "0:e", "0:f", "0:g"]
    );
    assert_eq!(
        read("if test -f x; then\n  a\nelse b; fi\nc # d"),
        ["0:test -f x {", "1:a {", "2:b {", "3:c"]
    );
    assert_eq!(read("(a; b)\nc"), ["0:a (", "0:b (", "1:c"]);
    assert_eq!(read("f() { a; }\nf"), ["0:a {", "1:f"]);
    assert_eq!(
        read("case $X in\n  a|b) c ;;\n  (d) e;;\nesac\ng"),
        ["1:c {", "2:e {", "4:g"]
    );
    assert_eq!(
        read("[[ -n \"$A\" && ( $B < 2 || $C ) ]] && c; d"),
        ["0:[[", "0:c", "0:d"]
    );
    assert_eq!(
        read("for i in 1 2; do a $i; done | b"),
        ["0:for i in 1 2 {", "0:a $i {", "0:b"]
    );
    assert_eq!(read("cat <<EOF > x\nif (\nEOF\nb"), ["0:cat > x", "3:b"]);
    assert_eq!(read("a \\\n  b\nc"), ["0:a b", "2:c"]);
    assert_eq!(
        read("echo 'a; b' \"c | d\" e\\;f"),
        ["0:echo a; b c | d e;f"]
    );
    assert_eq!(
        read("X=$((1 + 2)) Y=${Z:-(} A=(1 2)"),
        ["0:X=$((…)) Y=${Z:-(} A=(1 2)"]
    );
}

#[test]
fn substitutions_are_kept() {
    let all = commands("export A=\"$(b \"$(c)\" || d)\" E=`f`").unwrap();
    let inner: Vec<_> = all[0]
        .words
        .iter()
        .flat_map(|word| &word.substitutions)
        .collect();
    assert_eq!(inner, ["b \"$(c)\" || d", "f"]);
    assert_eq!(all[0].sets(), ["A", "E"]);
    assert_eq!(
        commands("A=1 B=2 cmd C=3").unwrap()[0].sets(),
        [] as [&str; 0]
    );
    assert_eq!(commands("A=1 B=2").unwrap()[0].sets(), ["A", "B"]);
    assert_eq!(
        commands(". \"$PWD/x\"").unwrap()[0].sources().unwrap().text,
        "$PWD/x"
    );
}

#[test]
fn what_cannot_be_followed_has_no_commands() {
    for script in ["a 'b", "(a", "a)", "if a; then b", "fi", "a \"$(b\""] {
        assert_eq!(commands(script), None, "{script}");
    }
}

proptest! {
    #[test]
    fn no_script_makes_it_panic(script in "[a-z=$(){}'\"`\\\\;&|<>#\\n ]{0,40}") {
        drop(commands(&script));
    }
}
