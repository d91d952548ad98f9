//! Multipart bodies: file names cannot end the quoted string, and boundaries cannot be guessed.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use serde_json::json;

use crate::support::*;

/// The body of an upload as sent.
fn body(params: &str, field: &str, file_name: &str, data: &[u8]) -> Vec<u8> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = Vec::new();
        let mut buffer = [0; 65_536];
        loop {
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if body.len() >= length.expect("a length") {
                    break;
                }
            }
            match stream.read(&mut buffer).expect("a request") {
                0 => break,
                read => request.extend_from_slice(&buffer[..read]),
            }
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").expect("written");
        request
    });
    let options = json!({ "api_url": format!("http://127.0.0.1:{port}/api") }).to_string();
    client(&options).upload("photos.upload", params, field, file_name, data).expect_ok();
    let request = server.join().expect("no panic");
    let at = request.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    request[at..].to_vec()
}

/// The line that names the file.
fn named(field: &str, file_name: &str) -> String {
    let body = String::from_utf8(body("{}", field, file_name, b"x")).expect("UTF-8");
    let line = body.lines().find(|line| line.contains("filename=")).expect("a file").to_owned();
    assert!(body.contains("\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--"), "{body}");
    line
}

#[test]
fn names_end_where_they_end() {
    for (field, file_name, expected) in [
        ("img_file", "a.jpg", r#"name="img_file"; filename="a.jpg""#),
        ("img_file", "a\\", r#"name="img_file"; filename="a%5C""#),
        ("f\\", "a.jpg", r#"name="f%5C"; filename="a.jpg""#),
        ("img_file", "\\\"; name=\"sig", r#"name="img_file"; filename="%5C%22; name=%22sig""#),
        ("img_file", "a\r\nX: y", r#"name="img_file"; filename="a%0D%0AX: y""#),
        ("x\"", "кот.png", r#"name="x%22"; filename="кот.png""#),
        ("x%22", "100%.png", r#"name="x%2522"; filename="100%.png""#),
    ] {
        assert_eq!(named(field, file_name), format!("Content-Disposition: form-data; {expected}"));
    }
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    for field in ["f\\", "x\"", "x%22", "x%5C", "x\\\\\""] {
        session.upload("sandbox.echo", "{}", field, "a\\", b"bytes").expect_ok();
        assert_eq!(sandbox.last()["files"].as_array().map(Vec::len), Some(1), "{field}");
    }
}

/// Go's parser reads a backslash as the beginning of an escape.
#[test]
fn go_finds_the_file() {
    let go = std::process::Command::new("go").arg("version").output();
    if !go.is_ok_and(|output| output.status.success()) {
        return skip("multipart bodies read by Go", "go is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let source = r#"package main
import ("fmt"; "io"; "mime/multipart"; "os")
func main() {
	reader := multipart.NewReader(os.Stdin, os.Args[1])
	form, err := reader.ReadForm(1 << 20)
	if err != nil { fmt.Println(err); os.Exit(1) }
	for _, files := range form.File { for _, file := range files {
		opened, _ := file.Open(); bytes, _ := io.ReadAll(opened)
		fmt.Printf("%s %d\n", file.Header.Get("Content-Type"), len(bytes))
	} }
}"#;
    let file = folder.path().join("read.go");
    std::fs::write(&file, source).expect("written");
    for (field, file_name) in [("img_file", "a\\"), ("f\\", "a"), ("f", "\\\""), ("f", "a\"b\\\\"), ("f", "кот.png")]
    {
        let body = body(r#"{"aid":"1"}"#, field, file_name, b"bytes");
        let end = body.windows(2).position(|window| window == b"\r\n").expect("a line");
        let boundary = String::from_utf8(body[2..end].to_vec()).expect("ASCII");
        let mut process = std::process::Command::new("go")
            .args(["run", file.to_str().expect("UTF-8"), &boundary])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("go runs");
        process.stdin.take().expect("piped").write_all(&body).expect("written");
        let output = process.wait_with_output().expect("go ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "application/octet-stream 5\n", "{field} {file_name}");
    }
}

#[test]
fn boundaries_are_new_each_time_and_in_no_file() {
    let boundary = |body: &[u8]| body.split(|byte| *byte == b'\r').next().expect("a line")[2..].to_vec();
    let mut known: Vec<Vec<u8>> = Vec::new();
    for _ in 0..20 {
        // A file that contains all earlier bodies.
        let data = known.join(&b"\r\n--"[..]);
        let text = json!({ "name": String::from_utf8(data.clone()).expect("ASCII") }).to_string();
        let body = body(&text, "img_file", "a", &data);
        let boundary = boundary(&body);
        assert!(boundary.len() == 7 + 32 && boundary.starts_with(b"mailru-"));
        let times = body.windows(boundary.len()).filter(|window| *window == boundary).count();
        assert_eq!(times, 6 + 1, "one before each of six parts, and one at the end");
        known.push(boundary);
    }
    assert_eq!(known.iter().collect::<HashSet<_>>().len(), 20);
}

#[test]
fn a_files_field_is_no_reserved_name() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    for field in ["sig", "SIG", "sig[]", "Method", "app.id", "session_key[x]", "cb."] {
        let refused = session.upload("photos.upload", None, field, "a", b"x").expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(refused.error("argument"), "field", "{field}");
    }
    assert_eq!(sandbox.requests().len(), 0);
}
