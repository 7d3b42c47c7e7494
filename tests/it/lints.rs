//! Lints of the workspace that the design depends on, tested by running them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Code as a programmer may write it: every line with `socket`, `listener` or `blocking` in its body is
/// refused.
const RAW: &str = r#"
pub async fn raw(
    socket: &tokio::net::UdpSocket,
    listener: &tokio::net::TcpListener,
    blocking: (&std::net::UdpSocket, &std::net::TcpListener),
) {
    let mut packet = [0; 2048];
    let _ = socket.readable().await;
    let _ = socket.ready(tokio::io::Interest::READABLE).await;
    let _ = socket.try_io(tokio::io::Interest::READABLE, || Ok(()));
    let _ = socket.recv(&mut packet).await;
    let _ = socket.recv_from(&mut packet).await;
    let _ = socket.try_recv(&mut packet);
    let _ = socket.try_recv_from(&mut packet);
    let _ = socket.peek_from(&mut packet).await;
    let _ = listener.accept().await;
    let _ = blocking.0.recv(&mut packet);
    let _ = blocking.0.recv_from(&mut packet);
    let _ = blocking.1.accept();
    let _ = blocking.1.incoming();
    // Sending needs no budget of this kind.
    let _ = socket.send_to(&packet, "127.0.0.1:9").await;
}
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Code that asks the system for the time: every line with `let _ =` in its body is refused.
const TIMED: &str = r"
pub fn timed() {
    let _ = std::time::SystemTime::now();
    let _ = std::time::Instant::now();
    let _ = tokio::time::Instant::now();
    // A time that is handed over is another matter.
    let _known = std::time::SystemTime::UNIX_EPOCH;
}
";

/// The output of the lint for a file with this source.
fn lint(source: &str, name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, source).unwrap();
    // The driver is beside the cargo that runs this test, and the libraries are beside the test itself.
    let driver =
        Path::new(&std::env::var_os("CARGO").expect("cargo runs this test")).with_file_name("clippy-driver");
    let test = std::env::current_exe().unwrap();
    let libraries = test.parent().unwrap();
    let runtimes = std::fs::read_dir(libraries).unwrap().map(|entry| entry.unwrap().path()).filter(|path| {
        let is_runtime = path.file_stem().is_some_and(|name| name.to_string_lossy().starts_with("libtokio-"));
        is_runtime && path.extension().is_some_and(|extension| extension == "rlib")
    });
    let mut said = String::new();
    // There may be several, with other features or from another compiler; any that links will do.
    for runtime in runtimes {
        let output = Command::new(&driver)
            .env("CLIPPY_CONF_DIR", root())
            .args([
                "--edition=2024",
                "--crate-type=lib",
                "--emit=metadata",
                "-Dclippy::disallowed_methods",
                "-o",
            ])
            .arg(folder.path().join("raw.rmeta"))
            .arg(format!("-Ldependency={}", libraries.display()))
            .arg(format!("--extern=tokio={}", runtime.display()))
            .arg(&file)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", driver.display()));
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.matches("use of a disallowed method").count() > 0 {
            break;
        }
    }
    said
}

/// Checks that each line with `let _ =` is refused that does not contain `allowed`, and no other line.
fn is_refused_line_by_line(source: &str, name: &str, allowed: &str) {
    let said = lint(source, name);
    for (number, line) in source.lines().enumerate() {
        let is_refused = said.contains(&format!("{name}:{}:", number + 1));
        let is_raw = line.contains("let _ =") && !line.contains(allowed);
        assert_eq!(is_refused, is_raw, "{line}\n{said}");
    }
}

#[test]
fn receiving_from_a_peer_without_a_budget_is_refused_by_the_lint() {
    is_refused_line_by_line(RAW, "raw.rs", "send_to");
}

#[test]
fn the_systems_time_is_refused_by_the_lint() {
    is_refused_line_by_line(TIMED, "timed.rs", "UNIX_EPOCH");
}

#[test]
fn raw_receiving_is_allowed_in_one_module_and_time_and_chance_in_theirs() {
    let mut allowing = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("trunk-server/src")];
    // The SDKs have a clock of their own: they know nothing of the server's.
    let sdk = root().join("crates/client-core");
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend((path != sdk).then_some(path));
            } else if !path.ends_with("lib.rs")
                && std::fs::read_to_string(&path).unwrap().contains("clippy::disallowed_methods")
            {
                allowing.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    allowing.sort();
    // The root of a crate allows it for the crate's own tests.
    let base = ["clock.rs", "ids.rs", "net.rs", "net/datagrams.rs"];
    assert_eq!(allowing, base.map(|file| format!("crates/service-base/src/{file}")));
}
