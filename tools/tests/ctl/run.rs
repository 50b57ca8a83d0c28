//! The tool as a child process, and a directory as a map of its bytes.

use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

/// What a run printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The object that was printed.
    pub(crate) fn object(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// One object a line.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let object = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.out.lines().map(object).collect()
    }
}

/// From its fork to its exec a child holds the locks that this process has, also those that are
/// dropped in between. So none is dropped while one is started.
static STARTS: Mutex<()> = Mutex::new(());

/// Does something while no child is being started.
pub(crate) fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    let _alone = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Starts a command whose output is read.
pub(crate) fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    undisturbed(|| command.spawn().expect("the tool was built"))
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Output {
    start(command).wait_with_output().expect("a child can be waited for")
}

pub(crate) fn command(data: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbusterctl"));
    command.arg("--data").arg(data).args(arguments.split_whitespace());
    command.env_remove("DOORBUSTER_DATA");
    command
}

/// What a test needs of the machine is not there: told, and an error where it must be.
pub(crate) fn must_be_there(what: &str, why: &str) {
    let must = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!must, "there must be {what} in continuous integration: {why}");
    eprintln!("left out: it takes {what}: {why}");
}

/// As [`command`], held to the permissions of files: root is not, unless it gives that up. None,
/// and told, where it cannot.
pub(crate) fn command_that_may_not(data: &Path, arguments: &str) -> Option<Command> {
    let own = command(data, arguments);
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root {
        return Some(own);
    }
    let held = |program: &OsStr| {
        let without = "-dac_override,-dac_read_search";
        let mut held = Command::new("setpriv");
        held.args([format!("--inh-caps={without}"), format!("--bounding-set={without}")]);
        held.arg(program);
        held
    };
    let tried = undisturbed(|| held("true".as_ref()).output());
    if !tried.is_ok_and(|output| output.status.success()) {
        must_be_there("a setpriv that works, or a user who is not root", "it does not");
        return None;
    }
    let mut held = held(own.get_program());
    held.args(own.get_args());
    Some(held)
}

/// Runs `doorbusterctl --data DATA ARGUMENTS` and expects its exit code.
pub(crate) fn ctl(data: &Path, arguments: &str, code: i32) -> Ran {
    let output = ended(&mut command(data, arguments));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints text");
    let code_seen = output.status.code().expect("it is not killed");
    let ran = Ran { code: code_seen, out: text(output.stdout), err: text(output.stderr) };
    assert_eq!(ran.code, code, "doorbusterctl {arguments}: {ran:?}");
    ran
}

/// Every file below a directory with its bytes.
pub(crate) fn bytes_of(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                found.insert(path.clone(), Vec::new());
                folders.push(path);
            } else {
                let bytes = fs::read(&path).expect("it can be read");
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// The file of a segment.
pub(crate) fn segment(data: &Path, number: usize) -> PathBuf {
    let segments = fs::read_dir(data.join("journal")).expect("there is a journal");
    let mut names: Vec<_> = segments.map(|entry| entry.expect("readable").path()).collect();
    names.sort();
    names[number - 1].clone()
}

/// Changes one byte of a file.
pub(crate) fn flip(file: &Path, offset: usize) {
    let mut bytes = fs::read(file).expect("it is there");
    bytes[offset] ^= 0x10;
    fs::write(file, bytes).expect("it can be written");
}
