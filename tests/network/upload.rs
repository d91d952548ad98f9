//! Uploads and public pages.

use std::io::{Read, Write};

use serde_json::json;

use crate::support::*;
use crate::tools::*;

/// A server that reads and discards a request's body of any size, and answers with its size.
fn sink() -> RawServer {
    RawServer::start(|mut stream| {
        while let Some(head) = read_head(&mut stream) {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut left: usize = length.unwrap_or(0);
            let mut buffer = [0; 65_536];
            while left > 0 {
                let most = left.min(buffer.len());
                match stream.read(&mut buffer[..most]) {
                    Ok(read) if read > 0 => left -= read,
                    _ => return,
                }
            }
            let body = length.unwrap_or(0).to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// The file is sent from the host's own memory.
#[test]
fn a_large_file_is_not_copied() {
    alone("upload::a_large_file_is_not_copied", &[], || {
        const SIZE: usize = 50_000_000;
        let server = sink();
        let session = client(&server.options(json!({})));
        session.call("friends.get", None).expect_ok();
        let file = vec![7; SIZE];
        let before = memory("VmHWM").max(memory("VmRSS"));
        let received = session.upload("photos.upload", r#"{"aid":"1"}"#, "img_file", "a.jpg", &file).expect_ok();
        let grown = memory("VmHWM") - before;
        println!("measured: an upload of 50 MB made the process grow by {grown} KiB");
        assert!(grown < 2_000, "{grown} KiB");
        let around = received.parse::<usize>().expect("a size") - SIZE;
        assert!((500..2000).contains(&around), "{around} bytes around the file");
    });
}

#[test]
fn files_are_sent_over_tls_too() {
    let tls = TlsSandbox::start(&[]);
    let file: Vec<u8> = (0..3_000_000).map(|at: u32| (at / 251) as u8).collect();
    let session = client(&tls.options(json!({})));
    let echoed = session.upload("sandbox.echo", "{}", "img_file", "a.jpg", &file).expect("MAILRU_OK").value();
    assert_eq!(echoed["files"][0]["md5"], format!("{:x}", md5::compute(&file)));
}

/// A server that answers that the file is too large without reading the rest of it.
#[test]
fn an_answer_before_the_end_of_the_file_is_used() {
    let body = r#"{"error":{"error_code":501,"error_msg":"Image is incorrect"}}"#;
    for (status, code) in [("413 Payload Too Large", "MAILRU_HTTP_ERROR"), ("400 Bad Request", "MAILRU_API_ERROR")] {
        let body = if status.starts_with("413") { "too large" } else { body };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let server = RawServer::start(move |mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
        });
        let session = client(&server.options(json!({})));
        let file = vec![0; 8 << 20];
        for _ in 0..10 {
            let answer = session.upload("photos.upload", r#"{"aid":"1"}"#, "img_file", "a.jpg", &file);
            assert_eq!(answer.name(), code, "{}", answer.json);
        }
        assert_eq!(server.connections(), 10, "a connection with a refused upload is not used again");
    }
}

#[test]
fn files_of_every_size_and_name_arrive_unchanged() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    // Around the sizes of the buffers, and with content that looks like the end of a part.
    let sizes = [0, 1, 4095, 8191, 8192, 8193, 32_767, 32_768, 32_769, 1_000_003];
    for (number, size) in sizes.into_iter().enumerate() {
        let file: Vec<u8> = b"\r\n--mailru-\r\n".iter().copied().cycle().take(size).collect();
        let name = ["a.jpg", "кот.png", "quote\".gif", "line\r\nbreak.bmp"][number % 4];
        let text = json!({ "aid": "1", "name": "ёж & \"кот\"\r\n--" }).to_string();
        session.upload("photos.upload", text.as_str(), "img_file", name, &file).expect_ok();
        let requests = sandbox.requests();
        let request = requests.last().expect("a request");
        assert_eq!(request["params"]["name"], "ёж & \"кот\"\r\n--");
        let received = &request["files"][0];
        assert_eq!((&received["size"], &received["name"]), (&json!(size), &json!("img_file")));
        assert_eq!(received["md5"], format!("{:x}", md5::compute(&file)));
        assert_eq!(request["http_method"], "POST");
    }
    assert_eq!(sandbox.get("stats")["connections_platform"], 1);
}

#[test]
fn public_pages_have_plain_paths() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    session.public("mail/demo", None).expect_ok();
    session.public("mail/demo", r#"{"method":"x","sig":"y","a":[1,2]}"#).expect_ok();
    let requests = sandbox.requests();
    let target = requests[1]["target"].as_str().expect("a target");
    assert!(target.starts_with("/platform/mail/demo?") && target.contains("method=x"), "nothing is reserved: {target}");
    assert!(requests[0]["params"] == json!({}) && !requests[0]["target"].as_str().expect("text").contains('?'));
    for good in ["a", "a/b/c", "a.b", "..a", "a..", "-", "_", "mail/a-b_c.d"] {
        session.public(good, None).expect("MAILRU_HTTP_ERROR");
    }
    let sent = sandbox.requests().len();
    for bad in [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../api", "a/.", "a?b", "a#b", "a%2e", "a b", "кот", "a\\b",
        "a:b", "http://x", "a\nb", "a;b", "a@b",
    ] {
        let answer = session.public(bad, None).expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(answer.error("argument"), "path", "{bad}");
    }
    assert_eq!(sandbox.requests().len(), sent, "nothing is sent");
}

/// Long parts of a request's head: each is an option or a parameter.
#[test]
fn long_addresses_and_agents_fit() {
    let sandbox = Sandbox::start();
    let long = |length: usize| json!({ "a": "x".repeat(length) }).to_string();
    let session = client(&sandbox.options(json!({})));
    for length in [4000, 8000, 8100, 8200, 9000, 20_000, 65_000] {
        session.public("mail/demo", long(length).as_str()).expect_ok();
        session.call("friends.get", long(length).as_str()).expect_ok();
        session
            .upload("photos.upload", long(length).replace("{", r#"{"aid":"1","#).as_str(), "img_file", "a.jpg", b"x")
            .expect_ok();
    }
    for length in [66_000, 200_000] {
        let answer = session.public("mail/demo", long(length).as_str()).expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(answer.error("argument"), "params_json");
        session.call("friends.get", long(length).as_str()).expect_ok();
    }
    for length in [1000, 4000, 5000, 20_000] {
        client(&sandbox.options(json!({ "user_agent": "x".repeat(length) }))).call("friends.get", None).expect_ok();
        for get_limit in [0, 4096, 60_000] {
            let address = format!("{}/{}", sandbox.base(), "x".repeat(length));
            let session = client(&json!({ "api_url": address, "get_limit": get_limit }).to_string());
            assert_eq!(session.call("friends.get", None).expect("MAILRU_HTTP_ERROR").error("http_status"), 404);
        }
    }
}
