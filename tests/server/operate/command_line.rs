//! What the command line offers beside serving: help, completions, the manual page, host names.
//!
//! Owns that each is complete enough to be of use. Settings are tested in `configuration`.

use crate::TARGET;

fn printed(arguments: &[&str]) -> String {
    let launch = arguments.iter().fold(TARGET.launch_bare(), |launch, one| launch.argument(*one));
    let exit = launch.run();
    assert_eq!((exit.code, &*exit.complaints), (Some(0), ""), "{exit:?}");
    exit.lines.join("\n")
}

#[test]
fn help_names_environment_settings_signals_and_exit_codes() {
    for flag in ["--help", "-h"] {
        let help = printed(&[flag]);
        for part in [
            "DOORBUSTER_CONFIG",
            "DOORBUSTER_HTTP_IDLE_MS",
            "DOORBUSTER_TOKEN",
            "NOTIFY_SOCKET",
            "doorbuster config",
            "completions",
            "man",
            "SIGHUP",
            "Exit codes:",
            "  3  standard output could not be written",
        ] {
            assert!(help.contains(part), "{flag}: no {part:?} in {help}");
        }
    }
}

#[test]
fn completions_and_the_manual_page_name_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for part in ["doorbuster", "tls-cert", "completions", "config"] {
            assert!(script.contains(part), "{shell}: no {part:?}");
        }
    }
    let page = printed(&["man"]);
    for part in [".TH doorbuster 1", "\\-\\-tls\\-cert", "DOORBUSTER_CONFIG", "Exit codes"] {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
    // They ask no setting.
    let exit = TARGET.launch_bare().variable("X", "1").argument("man").run();
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let exit = TARGET.launch_bare().argument("completions").argument("cmd").run();
    assert_eq!((exit.code, exit.lines.len()), (Some(2), 0), "{exit:?}");
}

#[test]
fn a_host_name_is_looked_up_and_its_address_told() {
    let data = TARGET.directory();
    // `start` reads an address from the line, which a name is not.
    let server = TARGET.launch_at(data.path(), "localhost:0").small().start();
    assert!(server.address.ip().is_loopback() && server.address.port() != 0);
    server.connect().get("/v1/status");
    server.stop().stopped();
}

/// A host name without an address is told before anything is begun.
#[test]
fn a_host_name_without_an_address_is_told_first() {
    let place = TARGET.directory();
    let data = place.path().join("data");
    let exit = TARGET.launch_at(&data, "nowhere.invalid:7070").run();
    assert_eq!((exit.code, exit.lines.len()), (Some(2), 0), "{exit:?}");
    assert!(exit.complaints.contains("nowhere.invalid has no address"), "{exit:?}");
    assert!(!data.exists(), "nothing was begun");
}

#[test]
fn a_service_of_the_same_name_keeps_no_server_from_starting() {
    let data = TARGET.directory();
    let linked = [
        ("SERVICE_HOST", "10.0.0.1"),
        ("SERVICE_PORT", "7070"),
        ("SERVICE_PORT_HTTP", "7070"),
        ("PORT", "tcp://10.0.0.1:7070"),
        ("PORT_7070_TCP", "tcp://10.0.0.1:7070"),
        ("PORT_7070_TCP_PROTO", "tcp"),
        ("PORT_7070_TCP_PORT", "7070"),
        ("PORT_7070_TCP_ADDR", "10.0.0.1"),
        ("TOKEN", "a tool's"),
        ("URL", "http://10.0.0.1:7070"),
    ];
    let launch = || {
        linked.iter().fold(TARGET.launch(data.path()).small(), |launch, (name, value)| {
            launch.variable(name, value)
        })
    };
    launch().start().stop().stopped();
    let exit = launch().variable("METRICS_PORT", "tcp://10.0.0.2:9090").run();
    assert_eq!((exit.code, exit.lines.len()), (Some(2), 0), "{exit:?}");
    for part in ["DOORBUSTER_METRICS_PORT", "enableServiceLinks: false"] {
        assert!(exit.complaints.contains(part), "{exit:?}");
    }
}
