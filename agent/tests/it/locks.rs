//! The lock ends with the agent, however it ends.

use agent_protocol::message::{Answer, Request};

use crate::client::{Client, comes_true};

#[test]
fn a_killed_holder_frees_the_lock_at_once_and_its_commands_do_not_keep_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (Client::start(), Client::start());
    let id = one.lock(folder.path(), "one", false);
    assert_eq!(one.answer(id).0, Ok(Answer::Locked { left_by: None }));
    // It leaves the group: nothing ends it.
    let (_, ran) = one.run("setsid sleep 1000 >/dev/null 2>&1 & echo $!", b"");
    let id = two.lock(folder.path(), "two", false);
    match two.answer(id).0 {
        Ok(Answer::Held(holder)) => assert_eq!(holder.process, one.child.id()),
        other => panic!("{other:?}"),
    }
    let id = two.lock(folder.path(), "two", true);
    one.child.kill().unwrap();
    match two.answer(id).0 {
        Ok(Answer::Locked {
            left_by: Some(holder),
        }) => assert_eq!(holder.owner, "build one"),
        other => panic!("{other:?}"),
    }
    let left = String::from_utf8(ran.stdout).unwrap();
    let _ = std::process::Command::new("pkill")
        .args(["-s", left.trim()])
        .status();
    let _ = std::process::Command::new("kill").arg(left.trim()).status();
}

#[test]
fn the_lock_is_held_until_what_ran_under_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let ended = folder.path().join("ended");
    let (mut one, mut two) = (Client::start(), Client::start());
    let id = one.lock(folder.path(), "one", false);
    drop(one.answer(id));
    let script = format!(
        "trap 'sleep 0.3; echo >\"{}\"; exit' TERM; echo begun; while :; do sleep 0.1; done",
        ended.display()
    );
    one.start_command(&script, None);
    one.hear_text("begun");
    let id = two.lock(folder.path(), "two", true);
    drop(one.stdin.take());
    assert!(matches!(
        two.answer(id).0,
        Ok(Answer::Locked { left_by: Some(_) })
    ));
    assert!(ended.exists());
}

#[test]
fn a_lock_given_back_is_free_while_the_agent_lives() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (Client::start(), Client::start());
    let id = one.lock(folder.path(), "one", false);
    drop(one.answer(id));
    let folder_name = folder.path().to_str().unwrap().to_owned();
    let held = Request::Holder {
        folder: folder_name,
    };
    let id = two.ask(held.clone());
    assert!(matches!(two.answer(id).0, Ok(Answer::Held(_))));
    let id = one.ask(Request::Unlock);
    assert_eq!(one.answer(id).0, Ok(Answer::Done));
    let id = two.ask(held);
    assert_eq!(two.answer(id).0, Ok(Answer::Free));
    let id = two.lock(folder.path(), "two", false);
    assert_eq!(two.answer(id).0, Ok(Answer::Locked { left_by: None }));
    assert!(comes_true(|| folder.path().join(".deploy/holder").exists()));
}
