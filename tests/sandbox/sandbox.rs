//! The sandbox platform: a server on this machine that simulates the Mail.ru platform REST API, its authorization
//! server and its public pages, with strict checks and, on request, every kind of network fault. It shares no code with
//! the library, so that both cannot have the same mistake.
#![forbid(unsafe_code)]

mod answer;
mod catalogue;
mod control;
mod demo;
mod demo_users;
mod faults;
mod grants;
mod inject;
mod journal;
mod oauth;
mod oversized;
mod params;
mod platform;
mod request;
mod server;
mod service;
mod signature;
mod state;
mod stream;
mod tls;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::sync::Notify;

const ABOUT: &str = "A server on this machine that simulates the Mail.ru platform REST API, for testing programs";

const GUIDE: &str = r#"The first line of output is the base address; the second is the address of the control listener,
which never has faults; then the options for a session.

Demo credentials (those of the platform's guide):
  app_id       423004
  private_key  7815696ecbf1c96e6894b779456d330e
  secret_key   3dad9cbf9baaa0360c0f2ba372d25716
  user         1324730981306483817   (e-mail demo@mail.ru, password demo)
  session key  be6ef89965d58e56dec21acb9b62bdaa

The platform:
  /platform/api            the REST methods, signatures checked; sandbox.echo… returns its parameters
  /platform/mail/demo      a public page
  /oauth/authorize         redirects the browser with a code or tokens; deny=1 refuses
  /oauth/token             the grants: authorization_code, password, refresh_token

The control API, JSON, on the base address and on the control listener:
  GET, DELETE  /sandbox/requests[?since=N]   every request received
  GET          /sandbox/stats                counters
  GET          /sandbox/applied              the writes that took effect
  POST         /sandbox/reset                returns to the initial state
  POST         /sandbox/release              sends the answers that the fault hold keeps back
  GET, POST    /sandbox/settings             {"record","expires_in","expires_in_as","omit","rotate","scope",
                                              "detect_reuse","end_former","check_ids"}
  POST         /sandbox/users                {"email","password","uid"}
  POST         /sandbox/apps                 {"app_id","private_key","secret_key"}
  POST         /sandbox/tokens               {"uid","app_id","scope","expires_in"}: a pair of tokens
  GET          /sandbox/tokens               {"newest"}: the two access tokens issued last
  POST         /sandbox/codes                {"redirect_uri","uid","app_id","code","scope"}: an authorization code
  POST         /sandbox/expire               {"access_token"}, {"refresh_token"}, or {} for all access tokens
  GET, POST, DELETE  /sandbox/faults         {"on":{"path","method","grant","connection"},"times","skip",
                                              "probability","applied","fault":{"kind",…}}

Examples:
  mailru-sandbox --port 8080           (in the sources: cargo run --example sandbox -- --port 8080)
  curl -d '{"on":{"method":"friends.*"},"times":2,"fault":{"kind":"platform_error","code":3}}' \
       http://127.0.0.1:8080/sandbox/faults

A fault rule: "on" is a path prefix, a method (a * at its end stands for anything), a grant, or {"connection":true}
for new connections; all conditions must match. "times" is 1 by default (null: always), "skip" is the number of requests
without the fault first. The first matching rule applies. A request whose answer is replaced has no effect, unless
"applied" is true.

Settings for tokens: "rotate": a refresh token works once; "detect_reuse": its second use ends every token of its login;
"end_former": a renewal ends the previous access tokens. "check_ids": an unknown uid, uid2 or uids is answered with 102.

Kinds of fault for requests:
  close, reset            phase before (no effect; the default), after, head, body
  delay                   ms, phase before, head (the default), body
  hold                    the normal answer, after POST /sandbox/release
  drip                    ms per byte, phase head, body (the default)
  silent, hang_body       no answer; half an answer; the connection stays open
  truncate                chunked: a body that ends too early; close_delimited_cut: one without a length
  status                  status, body, content_type, headers
  answer                  body or body_base64, status, content_type
  raw                     base64: these bytes on the connection
  platform_error          code, status
  oauth_error             error, description, status
  too_many                429; retry_after: seconds
  omit                    members: the normal answer without these
  redirect                location, status
  huge, gzip_bomb, chunk_bomb      bytes
  many_headers            count
  deep                    depth
  close_after             ms: the normal answer, then the idle connection is closed
  expire_token            code 102, and the session key has expired from then on
  gzip, garbage, empty, bad_utf8, endless_headers, continue_flood
Kinds for connections: silent, close, reset, garbage, delay (ms), drip_handshake (ms per byte)"#;

#[derive(Parser)]
#[command(name = "mailru-sandbox", about = ABOUT, after_help = GUIDE)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of the control listener; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    control_port: u16,
    /// Speak https, with a certificate for localhost and 127.0.0.1 from a new authority.
    #[arg(long)]
    tls: bool,
    /// Issue the certificate for this name only.
    #[arg(long, value_name = "NAME", requires = "tls")]
    tls_name: Option<String>,
    /// Issue a certificate that has expired.
    #[arg(long, requires = "tls")]
    tls_expired: bool,
    /// Write the authority's certificate (PEM) here: which clients must trust.
    #[arg(long, value_name = "FILE", requires = "tls")]
    write_ca: Option<PathBuf>,
    /// Exit when standard input ends, so that no server is left when its parent process ends.
    #[arg(long)]
    exit_with_stdin: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    let code = match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    };
    runtime.shutdown_background();
    code
}

fn fail(message: &str) -> ExitCode {
    eprintln!("sandbox: {message}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<(), String> {
    // Before the first line is printed, so that a parent which reads it may send a signal at once.
    let ended = ended(arguments.exit_with_stdin)?;
    let acceptor = match arguments.tls {
        true => {
            let issued = tls::issue(arguments.tls_name.as_deref(), arguments.tls_expired)
                .map_err(|error| format!("cannot issue a certificate: {error}"))?;
            if let Some(file) = &arguments.write_ca {
                std::fs::write(file, &issued.authority_pem)
                    .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            }
            Some(issued.acceptor)
        }
        false => None,
    };
    let sandbox = Arc::new(state::SharedState::new());
    let (listener, port) = server::listen(arguments.port).await?;
    let (control, control_port) = server::listen(arguments.control_port).await?;
    let base = match arguments.tls {
        true => format!("https://localhost:{port}"),
        false => format!("http://127.0.0.1:{port}"),
    };
    tokio::spawn(server::serve(sandbox.clone(), listener, acceptor, server::Side::Platform));
    tokio::spawn(server::serve(sandbox, control, None, server::Side::Control));
    // Continue if the parent has closed the output.
    let _ = banner(&base, control_port, arguments.write_ca.as_deref());
    ended.notified().await;
    Ok(())
}

fn banner(base: &str, control_port: u16, ca_file: Option<&std::path::Path>) -> std::io::Result<()> {
    let mut options = serde_json::json!({
        "api_url": format!("{base}/platform/api"),
        "public_url": format!("{base}/platform"),
        "token_url": format!("{base}/oauth/token"),
    });
    if let Some(file) = ca_file {
        let file = std::path::absolute(file)?;
        options["ca_file"] = file.to_string_lossy().into();
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{base}")?;
    writeln!(out, "control http://127.0.0.1:{control_port}")?;
    writeln!(out, "options {options}")?;
    writeln!(
        out,
        "demo app_id {} private_key {} secret_key {}",
        grants::DEMO_APP,
        grants::DEMO_PRIVATE_KEY,
        grants::DEMO_SECRET_KEY
    )?;
    writeln!(
        out,
        "demo user {} session key {} e-mail {} password {}",
        demo_users::DEMO_UID,
        grants::DEMO_SESSION_KEY,
        grants::DEMO_EMAIL,
        grants::DEMO_PASSWORD
    )?;
    out.flush()
}

/// Notifies when the program must end: after a signal, or at the end of standard input if asked for.
fn ended(with_stdin: bool) -> Result<Arc<Notify>, String> {
    let ended = Arc::new(Notify::new());
    let notify = ended.clone();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| format!("cannot listen to signals: {error}");
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            notify.notify_one();
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        notify.notify_one();
    });
    if with_stdin {
        let notify = ended.clone();
        // On a separate thread, because a read of standard input cannot be cancelled and must not delay the exit.
        std::thread::spawn(move || {
            let mut sink = [0; 512];
            let mut input = std::io::stdin().lock();
            loop {
                match input.read(&mut sink) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            notify.notify_one();
        });
    }
    Ok(ended)
}
