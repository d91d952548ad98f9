//! TLS: the trusted authorities are an option, the name is checked, and a refusal says why.

use std::process::Command;

use serde_json::json;

use crate::support::*;
use crate::tools::*;

/// The message of a TLS failure.
#[track_caller]
fn refusal(answer: Answer) -> String {
    let answer = answer.expect("MAILRU_TLS_ERROR");
    assert_eq!(answer.error("transient"), false);
    answer.error("error_msg").as_str().expect("a text").to_owned()
}

fn port(sandbox: &Sandbox) -> &str {
    sandbox.base().rsplit(':').next().expect("a port")
}

#[test]
fn the_named_authority_is_trusted_and_no_other() {
    let tls = TlsSandbox::start(&[]);
    let session = client(&tls.options(json!({})));
    for _ in 0..10 {
        session.call("friends.get", None).expect_ok();
    }
    assert_eq!(tls.sandbox.get("stats")["connections_platform"], 1, "TLS connections are kept");
    // By IP address as well, because the certificate contains it too.
    let by_number = format!("https://127.0.0.1:{}/platform/api", port(&tls.sandbox));
    client(&tls.options(json!({ "api_url": by_number }))).call("friends.get", None).expect_ok();
    // Neither the built-in list nor the system's contains this authority.
    for roots in ["webpki", "system"] {
        let session = client(&tls.options(json!({ "ca_file": null, "tls_roots": roots })));
        let text = refusal(session.call("friends.get", None));
        assert!(text.contains("unknown issuer") && text.contains("ca_file"), "{roots}: {text}");
    }
    let other = TlsSandbox::start(&[]);
    let session = client(&tls.options(json!({ "ca_file": other.ca_file })));
    refusal(session.call("friends.get", None));
    assert_eq!(tls.sandbox.requests().len(), 11, "no request went to a server that is not trusted");
}

#[test]
fn the_name_and_the_time_are_checked() {
    let other_name = TlsSandbox::start(&["--tls-name", "other.example"]);
    let text = refusal(client(&other_name.options(json!({}))).call("friends.get", None));
    assert!(text.contains("another name"), "{text}");
    let expired = TlsSandbox::start(&["--tls-expired"]);
    let text = refusal(client(&expired.options(json!({}))).call("friends.get", None));
    assert!(text.contains("expired"), "{text}");
    for sandbox in [&other_name.sandbox, &expired.sandbox] {
        assert!(sandbox.requests().is_empty());
        assert_eq!(sandbox.get("stats")["connections_accepted"], 1, "a refused certificate is not retried");
    }
}

#[test]
fn servers_without_tls() {
    let plain = Sandbox::start();
    let address = format!("https://127.0.0.1:{}/platform/api", port(&plain));
    let text = refusal(client(&json!({ "api_url": address }).to_string()).call("friends.get", None));
    assert!(text.contains("handshake"), "{text}");
    let tls = TlsSandbox::start(&[]);
    tls.sandbox.fault(json!({"connection":true}), json!(1), json!({"kind":"garbage"}));
    let session = client(&tls.options(json!({})));
    refusal(session.call("friends.get", None));
    session.call("friends.get", None).expect_ok();
    // Plain HTTP to a TLS server: the answer is not HTTP.
    let address = format!("http://127.0.0.1:{}/platform/api", port(&tls.sandbox));
    let answer = client(&json!({ "api_url": address }).to_string()).call("friends.get", None);
    assert!(matches!(answer.name(), "MAILRU_MALFORMED_RESPONSE" | "MAILRU_NETWORK_ERROR"), "{}", answer.json);
}

/// `system` uses the certificates that the host's environment names.
#[test]
fn the_systems_roots() {
    alone("tls::the_systems_roots", &["env", "SSL_CERT_DIR=/nowhere"], || {
        let tls = TlsSandbox::start(&[]);
        let options = tls.options(json!({ "ca_file": null, "tls_roots": "system" }));
        // SAFETY: no other thread of this process reads the environment.
        unsafe { std::env::set_var("SSL_CERT_FILE", &tls.ca_file) };
        client(&options).call("friends.get", None).expect_ok();
        // SAFETY: as above.
        unsafe { std::env::set_var("SSL_CERT_FILE", "/nowhere/at/all.pem") };
        // Another limit, because sessions with the same options share what they have read while any of them is in use.
        let others = tls.options(json!({ "ca_file": null, "tls_roots": "system", "connect_timeout_ms": 9_999 }));
        let text = refusal(client(&others).call("friends.get", None));
        assert!(text.contains("system"), "{text}");
        // The built-in list ignores the environment.
        let session = client(&tls.options(json!({ "ca_file": null })));
        assert!(refusal(session.call("friends.get", None)).contains("unknown issuer"));
    });
}

/// Grants and public pages have the same checks.
#[test]
fn every_address_of_a_session_is_checked() {
    let (trusted, foreign) = (TlsSandbox::start(&[]), TlsSandbox::start(&[]));
    let token_url = format!("{}/oauth/token", foreign.sandbox.base());
    let public_url = format!("{}/platform", foreign.sandbox.base());
    let options = json!({ "token_url": token_url, "public_url": public_url, "refresh_token": "r" });
    let session = client(&trusted.options(options));
    session.call("friends.get", None).expect_ok();
    refusal(session.public("mail/demo", None));
    refusal(session.authorize());
    assert!(foreign.sandbox.requests().is_empty());
}

#[test]
fn files_of_authorities_are_read_strictly() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for path in [
        "/nowhere/ca.pem".to_owned(),
        folder.path().to_str().expect("UTF-8").to_owned(),
        file("empty.pem", ""),
        file("text.pem", "this is no certificate"),
        file("key.pem", key),
        file("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
        file("nonsense.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ] {
        let options = c(&json!({ "ca_file": path }).to_string());
        // SAFETY: the string outlives the call.
        let made = made(|error| unsafe { mailru::ffi::mailru_public_session_new(options.as_ptr(), error) });
        let error = made.err().unwrap_or_else(|| panic!("{path} is accepted"));
        assert!(error.contains("\"argument\":\"ca_file\""), "{path}: {error}");
    }
}

/// Invalid certificates as made by mistake: each is refused with a message and its remedy, without Rust's names.
#[test]
fn invalid_certificates_are_explained() {
    let Some(openssl) = program("openssl") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let call = |arguments: &str| {
        let output = run(Command::new(&openssl).args(arguments.split_whitespace()).current_dir(folder.path()));
        assert!(output.status.success(), "openssl {arguments}: {}", errors(&output));
    };
    std::fs::write(path("server.ext"), "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost\n").expect("written");
    std::fs::write(path("client.ext"), "subjectAltName=DNS:localhost\nextendedKeyUsage=clientAuth\n").expect("written");
    let ec = |curve: &str| format!("-newkey ec -pkeyopt ec_paramgen_curve:{curve} -nodes");
    call(&format!("req -x509 -days 30 {} -subj /CN=ca -keyout ca.key -out ca.pem", ec("P-256")));
    let requests = [
        ("rsa1024", "-newkey rsa:1024 -nodes".to_owned(), "server.ext", "RSA must have at least 2048 bits"),
        ("p521", ec("P-521"), "server.ext", "P-384"),
        ("client", ec("P-256"), "client.ext", "not for servers"),
        ("version1", ec("P-256"), "", "X.509 version 1"),
    ];
    let mut cases = Vec::new();
    for (name, key, extensions, expected) in requests {
        call(&format!("req {key} -subj /CN=localhost -keyout {name}.key -out {name}.csr"));
        let extensions = if extensions.is_empty() { String::new() } else { format!("-extfile {extensions}") };
        call(&format!(
            "x509 -req -days 30 -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem {extensions}"
        ));
        cases.push((name, "ca.pem", expected));
    }
    // A certificate made by `openssl req -x509` is an issuer's, and cannot also be a server's.
    call(&format!(
        "req -x509 -days 30 {} -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout own.key -out own.pem",
        ec("P-256")
    ));
    cases.push(("own", "own.pem", "CA:FALSE"));
    for (name, ca_file, expected) in cases {
        let port = free_port();
        let mut server = Command::new(&openssl);
        server.args([
            "s_server",
            "-accept",
            &format!("127.0.0.1:{port}"),
            "-www",
            "-quiet",
            "-cipher",
            "DEFAULT:@SECLEVEL=0",
        ]);
        server.args(["-cert", &path(&format!("{name}.pem")), "-key", &path(&format!("{name}.key"))]);
        let _server = Service::start(&mut server, port);
        let address = format!("https://localhost:{port}/platform/api");
        let session = client(&json!({ "api_url": address, "ca_file": path(ca_file) }).to_string());
        let text = refusal(session.call("friends.get", None));
        assert!(text.contains(expected) && text.contains(&format!("localhost:{port}")), "{name}: {text}");
        println!("measured: {name}: {text}");
    }
}

/// With nginx as another TLS server, which closes connections in its own way.
#[test]
fn behind_nginx() {
    let Some(nginx) = program("nginx") else { return };
    let sandbox = Sandbox::start();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(path("cert.pem"), key.cert.pem()).expect("written");
    std::fs::write(path("key.pem"), key.signing_key.serialize_pem()).expect("written");
    let listen = free_port();
    let configuration = format!(
        "worker_processes 1; pid {pid}; error_log {log}; daemon off; events {{}}\n\
         http {{ access_log off; client_body_temp_path {t}; proxy_temp_path {t}; fastcgi_temp_path {t};\n\
         uwsgi_temp_path {t}; scgi_temp_path {t}; client_max_body_size 1m; keepalive_requests 5;\n\
         server {{ listen 127.0.0.1:{listen} ssl; ssl_certificate {cert}; ssl_certificate_key {key};\n\
         location / {{ proxy_pass {base}; proxy_http_version 1.1; }} }} }}\n",
        pid = path("nginx.pid"),
        log = path("error.log"),
        t = path("temp"),
        cert = path("cert.pem"),
        key = path("key.pem"),
        base = sandbox.base(),
    );
    std::fs::write(path("nginx.conf"), configuration).expect("written");
    let _nginx =
        Service::start(Command::new(nginx).args(["-e", &path("error.log"), "-c", &path("nginx.conf")]), listen);
    let address = format!("https://localhost:{listen}");
    let options = json!({
        "api_url": format!("{address}/platform/api"), "public_url": format!("{address}/platform"),
        "ca_file": path("cert.pem"), "retries": 0,
    });
    let session = client(&options.to_string());
    // More calls than nginx allows on one connection: it closes, without effect on a call.
    for number in 0..20 {
        let echoed = session.call("sandbox.echo", format!("{{\"n\":{number}}}").as_str()).expect_ok();
        assert!(echoed.contains(&number.to_string()), "{echoed}");
    }
    let large = vec![7; 900_000];
    session.upload("photos.upload", r#"{"aid":"1"}"#, "img_file", "a.jpg", &large).expect_ok();
    // Larger than nginx accepts; it answers before it has received all of it.
    let larger = vec![7; 3_000_000];
    let answer = session.upload("photos.upload", r#"{"aid":"1"}"#, "img_file", "a.jpg", &larger);
    assert_eq!(answer.expect("MAILRU_HTTP_ERROR").error("http_status"), 413);
    session.public("mail/demo", None).expect_ok();
}
