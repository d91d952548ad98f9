// The codes of the C interface: the one place where a code's name, number and meaning stand.
//
// This file is read twice, each time under a `codes!` macro of the reader's own: `error.rs` makes
// `Code` of it, `build.rs` the constants of the header. A number never changes its meaning, and the
// number of a retired code stays reserved. Gaps group the codes by who can act: the caller
// (below 10), whoever reads the server's answer (10 to 19), the network's owner (20 to 29), the
// user of a queue (30 to 39), the authors of this library (99).
codes! {
    Ok = 0, "MAILRU_OK", "Success: the JSON is the answer.";
    InvalidArgument = 1, "MAILRU_INVALID_ARGUMENT", "An argument is NULL, not UTF-8, malformed or wrongly typed JSON, an unknown option or a reserved parameter; `argument` names it.";
    InvalidHandle = 2, "MAILRU_INVALID_HANDLE", "The handle was freed, is of another kind, or was never given out.";
    SignatureUndefined = 3, "MAILRU_SIGNATURE_UNDEFINED", "The session can sign neither way: it has neither uid and private_key nor secret_key.";
    SignatureMismatch = 4, "MAILRU_SIGNATURE_MISMATCH", "mailru_verify, mailru_verify_launch: the signature is not the platform's.";
    Reentered = 5, "MAILRU_REENTERED", "A call that needs the token, made inside its own session's token callback.";
    ApiError = 10, "MAILRU_API_ERROR", "The platform answered with an error; the JSON is the platform's own.";
    OauthError = 11, "MAILRU_OAUTH_ERROR", "The authorization server refused (`oauth` holds its answer), or its answer lacks a field (`field` names it).";
    EmptyResponse = 12, "MAILRU_EMPTY_RESPONSE", "A 2xx answer has no body, or is {} or null.";
    MalformedResponse = 13, "MAILRU_MALFORMED_RESPONSE", "The answer is not JSON, not UTF-8, nested too deep, or cut off.";
    ResponseTooLarge = 14, "MAILRU_RESPONSE_TOO_LARGE", "The answer is larger than max_response_bytes after decompression.";
    HttpError = 15, "MAILRU_HTTP_ERROR", "The status is not a 2xx and the body is no platform error; redirects end here.";
    NetworkError = 20, "MAILRU_NETWORK_ERROR", "Resolving, connecting or the connection itself failed.";
    Timeout = 21, "MAILRU_TIMEOUT", "The time limit passed.";
    TlsError = 22, "MAILRU_TLS_ERROR", "The certificate or the handshake was refused.";
    Cancelled = 23, "MAILRU_CANCELLED", "The call, its session or its queued tag was cancelled, or its session freed.";
    QueueFull = 30, "MAILRU_QUEUE_FULL", "The queue holds as much as its capacity; take completions first.";
    QueueEmpty = 31, "MAILRU_QUEUE_EMPTY", "Nothing completed within the wait.";
    InternalError = 99, "MAILRU_INTERNAL_ERROR", "A bug in this library; the host is unharmed.";
}
