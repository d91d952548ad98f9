//! Proxies: real ones, with and without credentials, and ones that misbehave.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::*;
use crate::tools::*;

/// The environment variables for proxies; a test that uses them clears all of them first.
const VARIABLES: [&str; 8] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"];

fn tinyproxy(login: Option<(&str, &str)>) -> Option<(Service, u16, tempfile::TempDir)> {
    let program = program("tinyproxy")?;
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let login = login.map(|(name, password)| format!("BasicAuth {name} {password}\n")).unwrap_or_default();
    let log = folder.path().join("log");
    let text = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 30\nLogFile \"{}\"\nLogLevel Connect\nMaxClients 50\n{login}",
        log.display()
    );
    let file = folder.path().join("tinyproxy.conf");
    std::fs::write(&file, text).expect("written");
    Some((Service::start(Command::new(program).arg("-d").arg("-c").arg(&file), port), port, folder))
}

fn microsocks(login: Option<(&str, &str)>) -> Option<(Service, u16)> {
    let port = free_port();
    let mut command = Command::new(program("microsocks")?);
    command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
    if let Some((name, password)) = login {
        command.args(["-u", name, "-P", password]);
    }
    Some((Service::start(&mut command, port), port))
}

/// Options that direct calls to a sandbox at an address of this machine that is not a loopback address.
fn elsewhere(sandbox: &Sandbox, more: Value) -> String {
    let address = format!("{}/platform/api", sandbox.base().replace("127.0.0.1", "0.0.0.0"));
    let mut options = json!({ "api_url": address, "allow_http": true });
    options.as_object_mut().expect("an object").extend(more.as_object().expect("options").clone());
    sandbox.options(options)
}

/// Calls and an upload through a proxy.
fn works_through(proxy: &str) {
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    for (sandbox, options) in
        [(&plain, elsewhere(&plain, json!({ "proxy": proxy }))), (&tls.sandbox, tls.options(json!({ "proxy": proxy })))]
    {
        let session = client(&options);
        for number in 0..5 {
            let echoed = session.call("sandbox.echo", format!("{{\"n\":{number}}}").as_str()).expect_ok();
            assert!(echoed.contains(&number.to_string()), "{echoed}");
        }
        session.upload("photos.upload", r#"{"aid":"1"}"#, "img_file", "a.jpg", &vec![1; 1_000_000]).expect_ok();
        assert_eq!(sandbox.get("stats")["connections_platform"], 1, "the connection through {proxy} is kept");
    }
}

/// The message of a failure at the proxy; checks that it does not show the password.
#[track_caller]
fn refused(options: Value) -> String {
    let answer = client(&options.to_string()).call("friends.get", None).expect("MAILRU_NETWORK_ERROR");
    assert!(!answer.json.contains("hunter2"), "{}", answer.json);
    answer.error("error_msg").as_str().expect("a text").to_owned()
}

#[test]
fn tinyproxy_with_and_without_a_login() {
    let Some((_service, port, _folder)) = tinyproxy(None) else { return };
    works_through(&format!("http://127.0.0.1:{port}"));
    let Some((_service, port, _folder)) = tinyproxy(Some(("user", "hunter2"))) else { return };
    works_through(&format!("http://user:hunter2@127.0.0.1:{port}"));
    let sandbox = Sandbox::start();
    for login in ["", "user:wrong@", "nobody:hunter2@"] {
        let proxy = format!("http://{login}127.0.0.1:{port}");
        let address = format!("{}/platform/api", sandbox.base().replace("http:", "https:"));
        let text = refused(json!({ "api_url": address, "proxy": proxy }));
        assert!(text.contains("proxy") && (text.contains("password") || text.contains("401")), "{text}");
    }
    assert!(sandbox.requests().is_empty());
}

#[test]
fn microsocks_with_and_without_a_login() {
    let Some((_service, port)) = microsocks(None) else { return };
    works_through(&format!("socks5://127.0.0.1:{port}"));
    works_through(&format!("socks5h://127.0.0.1:{port}"));
    // A server that the proxy cannot reach.
    let text = refused(json!({ "api_url": "https://127.0.0.1:9/", "proxy": format!("socks5://127.0.0.1:{port}") }));
    assert!(text.contains("refused by the server"), "{text}");
    let Some((_service, port)) = microsocks(Some(("us%er", "hunter2:/@"))) else { return };
    works_through(&format!("socks5://us%25er:hunter2%3A%2F%40@127.0.0.1:{port}"));
    for (login, reason) in [("", "requires a user name"), ("us%25er:hunter2@", "refused the user name")] {
        let proxy = format!("socks5://{login}127.0.0.1:{port}");
        let text = refused(json!({ "api_url": "https://127.0.0.1:9/", "proxy": proxy, "retries": 0 }));
        assert!(text.contains(reason), "{text}");
    }
}

/// The bytes of the request to a proxy, which looks up the name itself.
#[test]
fn the_proxy_looks_up_the_name() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    let connect = RawServer::start(move |mut stream| {
        let head = read_head(&mut stream).unwrap_or_default();
        keep.lock().expect("no panic").push(head);
    });
    let proxy = format!("http://us%40er:pass@127.0.0.1:{}", connect.port);
    let text = refused(json!({ "api_url": "https://name.invalid/api", "proxy": proxy, "retries": 0 }));
    assert!(text.contains("the proxy"), "{text}");
    let head = heard.lock().expect("no panic").remove(0);
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(lines[0], "CONNECT name.invalid:443 HTTP/1.1");
    // base64 of us@er:pass
    assert!(lines.contains(&"Proxy-Authorization: Basic dXNAZXI6cGFzcw=="), "{head}");
    assert!(!head.contains(SESSION_KEY), "the request itself is for the server");

    let keep = Arc::clone(&heard);
    let socks = RawServer::start(move |mut stream| {
        let mut hello = [0; 3];
        let mut request = [0; 19];
        let _ = stream.read_exact(&mut hello).and_then(|()| stream.write_all(b"\x05\0"));
        let asked = stream.read_exact(&mut request);
        keep.lock().expect("no panic").push(String::from_utf8_lossy(&request).into_owned());
        let _ = asked.and_then(|()| stream.write_all(b"\x05\x04\0\x01\0\0\0\0\0\0"));
    });
    let proxy = format!("socks5://127.0.0.1:{}", socks.port);
    let text = refused(json!({ "api_url": "https://name.invalid/api", "proxy": proxy, "retries": 0 }));
    assert!(text.contains("find its name"), "{text}");
    assert_eq!(heard.lock().expect("no panic")[0], "\x05\x01\0\x03\x0cname.invalid\x01\u{fffd}");
}

#[test]
fn proxies_that_misbehave() {
    let closing = RawServer::start(drop);
    let garbage = RawServer::answering("\x05\x05\x05\x05 what?\r\n\r\n");
    let teapot = RawServer::answering("HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n");
    let broken = RawServer::answering("HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n");
    let endless = RawServer::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    for (server, scheme, connections) in [
        (&closing, "http", 3),
        (&closing, "socks5", 6),
        (&garbage, "http", 1),
        (&teapot, "http", 1),
        (&broken, "http", 3),
        (&teapot, "socks5", 2),
    ] {
        let proxy = format!("{scheme}://127.0.0.1:{}", server.port);
        let text = refused(json!({ "api_url": "https://127.0.0.1:9/", "proxy": proxy, "retry_delay_ms": 1 }));
        assert!(text.contains("proxy"), "{scheme}: {text}");
        assert_eq!(server.connections(), connections, "{scheme}: {text}");
    }
    let proxy = format!("http://127.0.0.1:{}", endless.port);
    let options = json!({ "api_url": "https://127.0.0.1:9/", "proxy": proxy, "timeout_ms": 3000 }).to_string();
    let (took, answer) = timed(|| client(&options).call("friends.get", None));
    assert!(matches!(answer.name(), "MAILRU_NETWORK_ERROR" | "MAILRU_MALFORMED_RESPONSE"), "{}", answer.json);
    assert!(took < ms(2500), "{took:?}");
}

#[test]
fn the_option_is_checked_and_its_password_not_shown() {
    for proxy in [
        "",
        "hunter2",
        "127.0.0.1:3128",
        "https://user:hunter2@127.0.0.1:3128",
        "socks4://user:hunter2@127.0.0.1",
        "socks://user:hunter2@127.0.0.1",
        "ftp://user:hunter2@127.0.0.1",
        "http://user:hunter2@",
        "http://user:hunter2@127.0.0.1:0",
        "http://user:hunter2@127.0.0.1:99999",
        "http://user:hunter2@127.0.0.1:port",
        "http://user:hunter2@127.0.0.1/path",
        "http://user:hunter2@127.0.0.1 ",
        "http://user:hunter2%ff@127.0.0.1",
        "socks5://hunter2@127.0.0.1",
        "ENV",
    ] {
        let options = c(&json!({ "proxy": proxy }).to_string());
        // SAFETY: the string outlives the call.
        let made = made(|error| unsafe { mailru::ffi::mailru_public_session_new(options.as_ptr(), error) });
        let error = made.err().unwrap_or_else(|| panic!("{proxy} is accepted"));
        assert!(error.contains("\"argument\":\"proxy\"") && !error.contains("hunter2"), "{proxy}: {error}");
    }
}

/// The environment is used only if the option says so.
#[test]
fn the_environment_counts_only_where_asked_for() {
    alone("proxy::the_environment_counts_only_where_asked_for", &[], || {
        let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
        let set = |variables: &[(&str, &str)]| {
            for variable in VARIABLES {
                // SAFETY: no other thread of this process reads the environment.
                unsafe { std::env::remove_var(variable) };
            }
            for (name, value) in variables {
                // SAFETY: as above.
                unsafe { std::env::set_var(name, value) };
            }
        };
        // Whether an https call, and a plain http call, uses the proxy.
        let proxied = |variables: &[(&str, &str)], option: Value| {
            [true, false].map(|secure| {
                let proxy = RawServer::answering("HTTP/1.1 418 No\r\n\r\n");
                let port = proxy.port.to_string();
                let values: Vec<_> = variables.iter().map(|it| (it.0, it.1.replace("PORT", &port))).collect();
                set(&values.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
                let more = json!({ "proxy": option, "retries": 0 });
                let by_number = || tls.options(more.clone()).replace("https://localhost", "https://127.0.0.1");
                let options = if secure { by_number() } else { elsewhere(&plain, more) };
                let answer = client(&options).call("friends.get", None);
                assert_eq!(answer.name() == "MAILRU_OK", proxy.connections() == 0, "{variables:?}: {}", answer.json);
                proxy.connections() > 0
            })
        };
        for (name, expected) in [
            ("https_proxy", [true, false]),
            ("HTTPS_PROXY", [true, false]),
            ("http_proxy", [false, true]),
            ("HTTP_PROXY", [false, false]),
            ("all_proxy", [true, true]),
            ("ALL_PROXY", [true, true]),
        ] {
            assert_eq!(
                proxied(&[(name, "http://127.0.0.1:PORT")], Value::Null),
                [false, false],
                "{name} is not looked at"
            );
            for value in ["http://127.0.0.1:PORT", "127.0.0.1:PORT", "socks5://127.0.0.1:PORT"] {
                assert_eq!(proxied(&[(name, value)], json!("env")), expected, "{name}={value}");
            }
        }
        assert_eq!(proxied(&[("NO_PROXY", "*")], json!("env")), [false, false], "no proxy is used");
        // The variable of the scheme has priority over ALL_PROXY.
        for (one, all) in [("HTTPS_PROXY", "ALL_PROXY"), ("https_proxy", "all_proxy")] {
            let used = "http://127.0.0.1:PORT";
            let variables = [(one, used), ("http_proxy", used), (all, "http://127.0.0.1:1")];
            assert_eq!(proxied(&variables, json!("env")), [true, true], "{one} before {all}");
        }
        // The exceptions apply to both schemes.
        for scheme in ["http", "socks5"] {
            let proxy = format!("{scheme}://127.0.0.1:PORT");
            let port = tls.sandbox.base().rsplit(':').next().expect("a port").to_owned();
            for (exceptions, excepted) in [
                ("127.0.0.1", true),
                ("example.org, 127.0.0.1 ,x", true),
                ("example.org 127.0.0.1", true),
                ("*", true),
                ("127.0.0.0/8", true),
                (&format!("127.0.0.1:{port}"), true),
                ("example.org", false),
                ("127.0.0.1:443", false),
                ("128.0.0.0/8", false),
                ("", false),
            ] {
                for name in ["NO_PROXY", "no_proxy"] {
                    let variables = [("ALL_PROXY", proxy.as_str()), (name, exceptions)];
                    assert_eq!(proxied(&variables, json!("env"))[0], !excepted, "{name}={exceptions}");
                }
            }
        }
        // In a CGI program HTTP_PROXY comes from a header of the request. SAFETY: as above.
        unsafe { std::env::set_var("REQUEST_METHOD", "GET") };
        assert_eq!(proxied(&[("HTTP_PROXY", "http://127.0.0.1:PORT")], json!("env")), [false, false]);
        assert_eq!(proxied(&[("http_proxy", "http://127.0.0.1:PORT")], json!("env")), [false, true]);
        // An invalid proxy in the environment is an error, not ignored.
        for unusable in ["https://user:hunter2@127.0.0.1:1", "socks4://127.0.0.1", "http://"] {
            set(&[("HTTPS_PROXY", unusable)]);
            let options = c(r#"{"proxy":"env"}"#);
            // SAFETY: the string outlives the call.
            let made = made(|error| unsafe { mailru::ffi::mailru_public_session_new(options.as_ptr(), error) });
            let error = made.err().unwrap_or_else(|| panic!("{unusable} is accepted"));
            assert!(error.contains("\"argument\":\"proxy\"") && error.contains("HTTPS_PROXY"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    });
}

/// An access token in plain http never leaves this machine, whatever the proxy option says.
#[test]
fn plain_http_to_this_machine_goes_past_any_proxy() {
    let sandbox = Sandbox::start();
    for scheme in ["http", "socks5"] {
        let proxy = RawServer::answering("HTTP/1.1 418 No\r\n\r\n");
        let option = json!(format!("{scheme}://127.0.0.1:{}", proxy.port));
        for host in ["127.0.0.1", "localhost"] {
            let base = sandbox.base().replace("127.0.0.1", host);
            let options = json!({
                "proxy": option,
                "api_url": format!("{base}/platform/api"),
                "public_url": format!("{base}/platform"),
                "token_url": format!("{base}/oauth/token"),
            });
            let session = session("password", &[], &options.to_string());
            session.call("friends.get", None).expect_ok();
            session.public("mail/demo", None).expect_ok();
        }
        assert_eq!(proxy.connections(), 0, "{scheme}");
        // https would use the proxy.
        let options = json!({ "proxy": option, "api_url": "https://127.0.0.1:9/", "retries": 0 }).to_string();
        client(&options).call("friends.get", None).expect("MAILRU_NETWORK_ERROR");
        assert!(proxy.connections() > 0, "{scheme}");
    }
}
