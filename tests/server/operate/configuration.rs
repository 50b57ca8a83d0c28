//! Flags, environment and file, as the binary takes them (API 7).
//!
//! Owns the exit codes and messages of a command line that is wrong. Bounds of single settings are
//! tested beside `config`.

use crate::TARGET;
use doorbuster::config::settings;
use doorbuster_test_support::process::Exit;
use std::fs;

#[track_caller]
fn check_usage(exit: &Exit, parts: &[&str]) {
    assert_eq!((exit.code, exit.lines.len()), (Some(2), 0), "{exit:?}");
    for part in parts {
        assert!(exit.complaints.contains(part), "{part:?} is not in {exit:?}");
    }
}

#[test]
fn listening_beyond_loopback_without_tokens_needs_insecure() {
    let data = TARGET.directory();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        check_usage(&TARGET.launch_at(data.path(), address).run(), &["loopback", "--insecure"]);
    }
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "nothing was begun");
    for loopback in ["127.0.0.2:0", "[::1]:0"] {
        // A machine may lack the second address; that is another error than a refusal of it.
        let launch = TARGET.launch_at(data.path(), loopback).argument("config");
        assert_eq!(launch.run().code, Some(0));
    }
}

#[test]
fn unknown_settings_are_errors_wherever_they_stand() {
    let data = TARGET.directory();
    let bad = TARGET.launch(data.path()).variable("X", "1").run();
    check_usage(&bad, &["DOORBUSTER_X"]);
    let bad = TARGET.launch(data.path()).variable("HOLD_MS_MAX", "soon").run();
    check_usage(&bad, &["hold_ms_max", "soon"]);
    check_usage(&TARGET.launch(data.path()).argument("--colour").run(), &["--colour"]);
    check_usage(&TARGET.launch(data.path()).argument("sell").run(), &["sell"]);
    check_usage(
        &TARGET.launch(data.path()).argument("--durability").argument("interval:0").run(),
        &["durability", "interval:MS"],
    );
    let file = data.path().join("doorbuster.toml");
    let with = |text: &str| {
        fs::write(&file, text).unwrap();
        TARGET.launch(&data.path().join("data")).argument("--config").argument(&file).run()
    };
    check_usage(&with("[orders]\nretained_ms = 1\n"), &["orders.retained_ms"]);
    check_usage(&with("hold_ms_max = \n"), &["doorbuster.toml"]);
    check_usage(&with("orders.retain_ms = 5\n"), &["orders.retain_ms", "idempotency.retain_ms"]);
    fs::remove_file(&file).unwrap();
    let missing = TARGET.launch(data.path()).argument("--config").argument(&file).run();
    check_usage(&missing, &["doorbuster.toml"]);
}

#[test]
fn config_prints_every_setting_and_its_output_is_a_config() {
    let data = TARGET.directory();
    let launch = TARGET.launch(data.path()).argument("config").variable("HOLD_MS_MAX", "77777");
    let printed = launch.run();
    assert_eq!(printed.code, Some(0), "{printed:?}");
    for setting in settings() {
        let line = format!("{} = ", setting.name);
        assert!(printed.lines.iter().any(|own| own.starts_with(&line)), "{line:?} is not printed");
        let bounds = printed.lines.iter().any(|own| own.contains(setting.bounds));
        assert!(bounds, "the bounds of {} are not printed", setting.name);
        let default = format!("default {}", setting.default);
        assert!(printed.lines.iter().any(|own| own.contains(&default)), "{default:?}");
    }
    assert!(printed.lines.contains(&"hold_ms_max = 77777".to_owned()));
    let file = data.path().join("doorbuster.toml");
    fs::write(&file, printed.lines.join("\n")).unwrap();
    let again = TARGET.launch_bare().argument("config").argument("--config").argument(&file).run();
    let values = |lines: &[String]| -> Vec<String> {
        lines.iter().filter(|line| !line.starts_with('#')).cloned().collect()
    };
    assert_eq!(values(&again.lines), values(&printed.lines), "{again:?}");
    let server =
        TARGET.launch_bare().argument("serve").argument("--config").argument(&file).start();
    server.connect().get("/readyz");
}

#[test]
fn flags_go_over_environment_over_file() {
    let data = TARGET.directory();
    let file = data.path().join("doorbuster.toml");
    fs::write(&file, "durability = 'os'\nio_threads = 3\nhold_ms_max = 5000\n").unwrap();
    let printed = TARGET
        .launch(data.path())
        .argument("config")
        .argument("--config")
        .argument(&file)
        .variable("DURABILITY", "interval:7")
        .variable("IO_THREADS", "2")
        .argument("--durability=group")
        .run();
    for line in ["durability = \"group\"", "io_threads = 2", "hold_ms_max = 5000"] {
        assert!(printed.lines.contains(&line.to_owned()), "{line:?} is not in {printed:?}");
    }
}

#[test]
fn help_and_version_are_answered_without_a_server() {
    for flag in ["--help", "--version"] {
        let exit = TARGET.launch_bare().argument(flag).run();
        assert_eq!(exit.code, Some(0), "{exit:?}");
        assert!(exit.lines.iter().any(|line| line.contains("doorbuster")), "{exit:?}");
    }
}
