//! Addresses that servers, proxies and libraries read in different ways.

use serde_json::json;

use crate::support::*;

/// The name of the refused option; checks that its value is not shown.
fn refused(option: &str, address: &str) -> Option<String> {
    let options = json!({ option: address, "allow_http": true }).to_string();
    let error = Constructor::of("public").make(&[], Some(&options)).err()?;
    let error: serde_json::Value = serde_json::from_str(&error).expect("JSON");
    error["error"]["argument"].as_str().map(str::to_owned)
}

#[test]
fn addresses_are_read_in_one_way() {
    for option in ["api_url", "public_url", "token_url"] {
        for address in [
            "https://x.example\\@evil.example/",
            "https://x.example/a\\b",
            "https:\\\\x.example",
            "https://x.example/../api",
            "https://x.example/a/./b",
            "https://x.example/%2e%2e/api",
            "https://x.example/.%2E",
            "https://x.example/..;/api",
            "https://x.example/a%2fb",
            "https://x.example/a%5cb",
            "https://x.example/%0d%0aHost:%20evil",
            "https://x.example/a%00",
            "https://x.example/%zz",
            "https://x.example/%",
            "https://x.example/\r\nHost: evil",
            "https://x.example/a\tb",
            "https://x.example/кот",
            "https://x.example/\u{a0}",
            "https://кот.example/",
            "https://x.example/\"",
            "https://x.example/<",
            "https://x.example/{}",
            "https://x.example/|",
            "https://x.example/^",
            "https://x.example/`",
            "http://[127.0.0.1]/",
            "https://[evil.example]/",
            "http://[]",
            "http://[::1",
            "http://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://h:+443/",
            "https://h:-1/",
            "https://h:/",
            "https://h:0/",
            "https://h:65536/",
            "https://h:4x/",
            "https://a..b/",
            "https://.a/",
            "https://a%2eb/",
            "https://a,b/",
            "https://a'b/",
            "https://-/",
            "https://u@h/",
            "https://u:p@h/",
            "https://h/?a",
            "https://h/#a",
            "//h/",
            "https:/h",
            "https:h",
            "https://",
            "javascript://h/",
            "file:///etc/passwd",
            "h",
            "",
        ] {
            assert_eq!(refused(option, address).as_deref(), Some(option), "{address}");
        }
        for address in [
            "https://x.example",
            "https://x.example/",
            "https://x.example:8443/a/b.c/..d/e..",
            "https://x.example/%D0%BA%20x",
            "https://x.example./a;b=c/(d)!$&'*+,:@~",
            "https://1.2.3.4:1/",
            "https://[2001:db8::1]/",
            "http://[::1]:80/a",
            "https://a_b.example/",
            "https://xn--80aa.example/",
        ] {
            assert_eq!(refused(option, address), None, "{address}");
        }
    }
    for proxy in
        ["http://h:+3128", "http://[127.0.0.1]:1", "http://[h]", "http://a,b:1", "http://h\\@evil:1", "socks5://h:+1"]
    {
        assert_eq!(refused("proxy", proxy).as_deref(), Some("proxy"), "{proxy}");
    }
}

/// Plain http is allowed only to this machine, not to other spellings of its address that some resolvers accept.
#[test]
fn few_names_count_as_this_machine() {
    for host in [
        "2130706433",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "0",
        "[::ffff:127.0.0.1]",
        "[::]",
        "0.0.0.0",
        "localhost.",
        "localhost.evil.example",
        "evil.localhost",
    ] {
        let options = json!({ "api_url": format!("http://{host}/") }).to_string();
        let error = Constructor::of("public").make(&[], Some(&options)).expect_err(host);
        assert!(error.contains("\"argument\":\"api_url\""), "{host}: {error}");
    }
}
