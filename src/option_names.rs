// The names of the options, their defaults, and what they are for: the one place where these stand.
//
// Read twice, each time under an `options!` macro of the reader's own: `options.rs` checks names
// against it, `build.rs` writes it into the header's manual. The README's table is compared with it.
options! {
    "pass_error" = "false", "hand over any JSON body as MAILRU_OK";
    "api_url" = "https://appsmail.ru/platform/api", "where signed calls go";
    "public_url" = "https://appsmail.ru/platform", "where mailru_public reads";
    "token_url" = "the grant's own", "where grants and renewals go";
    "client_secret" = "secret_key, else private_key", "what grants send as client_secret";
    "refresh_token" = "none", "token sessions: renews the token";
    "expires_in" = "none", "token sessions: the token's life in seconds";
    "auto_refresh" = "true", "renew tokens without being asked";
    "timeout_ms" = "30000", "the limit of a whole call";
    "connect_timeout_ms" = "10000", "the limit of making a connection";
    "retries" = "2", "how often a request is repeated at most";
    "retry_delay_ms" = "200", "the first pause; later ones are longer";
    "max_response_bytes" = "16777216", "the largest answer, decompressed";
    "get_limit" = "4096", "the longest request line sent as GET";
    "max_idle_connections" = "16", "connections kept for later calls";
    "user_agent" = "mailru/<version>", "the User-Agent header";
    "proxy" = "none", "http://... or socks5://..., or \"env\"";
    "tls_roots" = "webpki", "or \"system\": whom to trust";
    "ca_file" = "none", "a PEM file of those to trust instead";
    "allow_http" = "false", "allow plain http to other machines";
}
