//! Running programs: quietly, for their output, or watched with a guard against hanging.

use crate::paths;
use anyhow::{Context, Result, bail};
use std::env;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A command that starts in the repository's root.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(paths::root());
    command
}

/// The cargo that runs this xtask, in the repository's root.
pub fn cargo() -> Command {
    let mut cargo = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` describes xtask in these; build scripts of other crates would be rebuilt for them.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs it with this terminal and fails with `what` where it fails.
pub fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// Runs it and returns what it wrote to standard output; what it wrote to standard error is in the error.
pub fn capture(command: &mut Command, what: &str) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{what}: cannot start {:?}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{what} failed ({})\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}

/// Ends the program when this one is told to end (Ctrl-C, SIGTERM, a closed terminal), and this one after it. Once per run.
pub fn end_with_this(child: Child) -> Result<Arc<Mutex<Child>>> {
    let child = Arc::new(Mutex::new(child));
    let held = Arc::clone(&child);
    ctrlc::set_handler(move || {
        let mut child = locked(&held);
        end_tree(child.id());
        let _ = child.kill();
        let _ = child.wait();
        // As a shell reports a program that a signal ended; which one it was does not matter to anybody.
        std::process::exit(130);
    })
    .context("waiting for Ctrl-C")?;
    Ok(child)
}

/// The program, for a moment. A panic elsewhere has not harmed it.
pub fn locked(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What became of a watched program.
pub struct Watched {
    /// Absent when it was ended because it ran past its guard.
    pub status: Option<ExitStatus>,
    /// Standard output and standard error, interleaved as they came.
    pub text: String,
}

impl Watched {
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Runs it, passing its output through while collecting it. Past `guard` it and its children are ended.
pub fn watch(command: &mut Command, guard: Duration) -> Result<Watched> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let (send, receive) = mpsc::channel::<Vec<u8>>();
    pump(child.stdout.take().expect("piped"), send.clone());
    pump(child.stderr.take().expect("piped"), send);

    let started = Instant::now();
    let mut bytes = Vec::new();
    let mut ended: Option<(Option<ExitStatus>, Instant)> = None;
    loop {
        match receive.recv_timeout(Duration::from_millis(100)) {
            Ok(chunk) => {
                let _ = std::io::stdout().write_all(&chunk).and_then(|()| std::io::stdout().flush());
                bytes.extend(chunk);
            }
            Err(RecvTimeoutError::Disconnected) if ended.is_some() => break,
            Err(RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(20)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        match ended {
            // A grandchild may still hold the pipe: it is not waited for.
            Some((_, at)) if at.elapsed() > Duration::from_secs(3) => break,
            Some(_) => {}
            None => {
                if let Some(status) = child.try_wait()? {
                    ended = Some((Some(status), Instant::now()));
                } else if started.elapsed() > guard {
                    end_tree(child.id());
                    let _ = child.kill();
                    let _ = child.wait();
                    println!("\nended: still running after {} s", guard.as_secs());
                    ended = Some((None, Instant::now()));
                }
            }
        }
    }
    let status = ended.and_then(|(status, _)| status);
    Ok(Watched { status, text: String::from_utf8_lossy(&bytes).into_owned() })
}

fn pump(mut from: impl Read + Send + 'static, to: mpsc::Sender<Vec<u8>>) {
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(n) = from.read(&mut buffer) {
            if n == 0 || to.send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
}

/// Ends the descendants of a process, deepest first (Linux; elsewhere only the process itself is ended).
fn end_tree(pid: u32) {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return };
    for task in tasks.flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            end_tree(child);
            let _ = Command::new("kill").args(["-KILL", &child.to_string()]).status();
        }
    }
}

/// The first program of that name on PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name).with_extension(env::consts::EXE_EXTENSION))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    file.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn watch_collects_both_streams_and_the_status() {
        let seen =
            watch(command("sh").args(["-c", "echo out; echo err >&2; exit 3"]), Duration::from_secs(30)).unwrap();
        assert!(!seen.success());
        assert_eq!(seen.status.unwrap().code(), Some(3));
        assert!(seen.text.contains("out\n") && seen.text.contains("err\n"), "{:?}", seen.text);
    }

    #[test]
    fn watch_ends_what_hangs_and_does_not_wait_for_its_children() {
        let started = Instant::now();
        let seen = watch(command("sh").args(["-c", "sleep 60 & sleep 60"]), Duration::from_millis(300)).unwrap();
        assert!(seen.status.is_none());
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}
