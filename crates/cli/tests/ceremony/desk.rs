//! A directory with members whose commands a test runs.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);
/// As in a devnet: below the range from which systems give ports to outgoing connections.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
/// Key stores of tests protect nothing.
const CHEAP: [&str; 2] = ["--scrypt-log2", "10"];

/// Members `m0`, `m1`, ... each with a folder, and the processes that run of them.
pub(crate) struct Desk {
    directory: TempDir,
    peers: Vec<SocketAddr>,
    admins: Vec<SocketAddr>,
    children: Vec<Option<Child>>,
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    /// Makes identities and enrolments.
    pub(crate) fn enrolled(members: usize) -> Self {
        let mut ports = free_ports(members * 2).into_iter();
        let desk = Self {
            directory: tempfile::tempdir().unwrap(),
            peers: ports.by_ref().take(members).collect(),
            admins: ports.collect(),
            children: (0..members).map(|_| None).collect(),
        };
        desk.write("passphrase", b"correct horse\n", 0o600);
        for member in 0..members {
            let folder = format!("m{member}");
            desk.make(&folder);
            desk.ok(&["keys", "new", "--out", &folder], &CHEAP);
            desk.enrol(member, &folder);
        }
        desk
    }

    /// As [`Self::enrolled`], with a definition that all have joined.
    pub(crate) fn joined(members: usize) -> Self {
        let desk = Self::enrolled(members);
        desk.define("ceremony.json", members, &[]);
        for member in 0..members {
            desk.join(member, "ceremony.json");
        }
        desk
    }

    /// A new encryption key and enrolment of a member in an existing folder.
    pub(crate) fn enrol(&self, member: usize, folder: &str) {
        let identity = format!("m{member}/identity.json");
        let name = format!("member-{member}");
        let address = self.peers[member].to_string();
        let enrol = ["ceremony", "enrol", "--name", &name, "--address", &address];
        let places = ["--identity-keystore", &identity, "--out", folder];
        self.ok(&[&enrol[..], &places].concat(), &CHEAP);
    }

    /// The definition of the first `members` members.
    pub(crate) fn define(&self, out: &str, members: usize, more: &[&str]) -> Value {
        let enrolments: Vec<String> = (0..members)
            .map(|member| format!("m{member}/enrolment.json"))
            .collect();
        let organiser = ["--organiser-keystore", "m0/identity.json"];
        let mut new = vec!["ceremony", "new", "--json", "--name", "a test"];
        new.extend(["--out", out]);
        for enrolment in &enrolments {
            new.extend(["--member", enrolment]);
        }
        self.run(&[&new[..], &organiser, more].concat()).json()
    }

    /// Runs `ceremony join` of a member into its folder `key`.
    pub(crate) fn join(&self, member: usize, definition: &str) {
        self.try_join(member, definition, &[]).ok();
    }

    pub(crate) fn try_join(&self, member: usize, definition: &str, more: &[&str]) -> Ran {
        let identity = format!("m{member}/identity.json");
        let encryption = format!("m{member}/encryption.json");
        let dir = format!("m{member}/key");
        let join = ["ceremony", "join", "--definition", definition];
        let keys = [
            "--identity-keystore",
            &identity,
            "--encryption-keystore",
            &encryption,
        ];
        self.run(&[&join[..], &keys, &["--dir", &dir], more].concat())
    }

    /// Starts `ceremony run` of a member.
    pub(crate) fn start(&mut self, member: usize, more: &[&str]) {
        let log = self.path(&format!("m{member}/log.txt"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let (dir, admin) = (format!("m{member}/key"), self.admins[member].to_string());
        let arguments = ["ceremony", "run", "--dir", &dir, "--admin", &admin];
        let child = self
            .command(&[&arguments[..], &CHEAP, &["--exit-with-parent"], more].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let before = self.children[member].replace(child);
        assert!(before.is_none(), "it ran already");
    }

    /// Kills a member with SIGKILL, if it still runs.
    pub(crate) fn kill(&mut self, member: usize) {
        if let Some(mut child) = self.children[member].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops a member as an operator does, with SIGTERM; it must end well.
    pub(crate) fn stop(&mut self, member: usize) {
        let child = self.children[member].as_ref().expect("it runs");
        let pid = i32::try_from(child.id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        self.done(member);
    }

    /// Whether a member's process has ended by itself, and how.
    pub(crate) fn ended(&mut self, member: usize) -> Option<i32> {
        let status = self.children[member].as_mut()?.try_wait().unwrap()?;
        self.children[member] = None;
        Some(status.code().unwrap_or(-1))
    }

    /// Waits until a member's process has ended by itself with exit code 0.
    pub(crate) fn done(&mut self, member: usize) {
        let mut code = None;
        self.until(&format!("the end of member {member}"), member, |desk| {
            code = desk.ended(member);
            code.is_some()
        });
        assert_eq!(code, Some(0), "{}", self.log(member));
    }

    /// Waits until something is so; fails with the log of a member if it takes too long.
    pub(crate) fn until(
        &mut self,
        what: &str,
        member: usize,
        mut so: impl FnMut(&mut Self) -> bool,
    ) {
        let start = Instant::now();
        while !so(self) {
            let late = start.elapsed() > PATIENCE;
            assert!(!late, "{what} took too long\n{}", self.log(member));
            std::thread::sleep(POLL);
        }
    }

    /// Waits until members have a key, and have said so: files come first.
    pub(crate) fn keys_of(&mut self, members: &[usize]) {
        for &member in members {
            self.until(&format!("the key of member {member}"), member, |desk| {
                desk.group_key(member).is_some() && desk.log(member).contains(" s  complete: ")
            });
        }
    }

    pub(crate) fn log(&self, member: usize) -> String {
        std::fs::read_to_string(self.path(&format!("m{member}/log.txt"))).unwrap_or_default()
    }

    /// The group key that a member's directory has, once it is complete.
    pub(crate) fn group_key(&self, member: usize) -> Option<String> {
        let text = std::fs::read(self.path(&format!("m{member}/key/group.json"))).ok()?;
        let group: Value = serde_json::from_slice(&text).ok()?;
        Some(group["group_key"].as_str().unwrap().to_owned())
    }

    pub(crate) fn admin(&self, member: usize) -> String {
        format!("http://{}", self.admins[member])
    }

    pub(crate) fn peer(&self, member: usize) -> SocketAddr {
        self.peers[member]
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn make(&self, folder: &str) {
        std::fs::create_dir(self.path(folder)).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: &[u8], mode: u32) {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .env("QUORATE_PASSPHRASE_FILE", self.path("passphrase"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str], more: &[&str]) {
        self.run(&[arguments, more].concat()).ok();
    }

    /// As [`Self::run`], of a command that makes a key store.
    pub(crate) fn run_cheaply(&self, arguments: &[&str]) -> Ran {
        self.run(&[arguments, &CHEAP].concat())
    }

    /// Names in a folder, sorted; none if there is no such folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn ok(&self) {
        assert_eq!(self.code, Some(0), "{}", self.err);
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        self.ok();
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }

    /// Requires a failure with this exit code whose message has all `parts`.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        for part in parts {
            let found = self.err.contains(part);
            assert!(found, "`{part}` is missing in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

/// Addresses that are free at this moment, no two alike, and none that another test of this process was given.
fn free_ports(wanted: usize) -> Vec<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let mut held = Vec::new();
    while held.len() < wanted {
        let port = PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(PORTS.contains(&port), "no ports are left");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        held.extend(TcpListener::bind(address).map(|listener| (address, listener)));
    }
    held.into_iter().map(|(address, _)| address).collect()
}
