package libmailru;

import com.sun.jna.Pointer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Function;

/** Keys and options of a session; then the way to its tokens: client, server, token, code, password, refresh, stored. */
public final class SessionBuilder {
    private final String appId;
    private final Map<String, Object> options = new LinkedHashMap<>();
    private String privateKey;
    private String secretKey;
    private Session.Circuit circuit;
    private Executor executor;

    SessionBuilder(String appId) {
        this.appId = appId;
    }

    public SessionBuilder privateKey(String key) {
        privateKey = key;
        return this;
    }

    /** The key of the application's server, which must never leave it. */
    public SessionBuilder secretKey(String key) {
        secretKey = key;
        return this;
    }

    /** How code, password and refresh sessions sign; without it as their keys and uid allow. */
    public SessionBuilder circuit(Session.Circuit circuit) {
        this.circuit = circuit;
        return this;
    }

    /** The limit of a whole call. */
    public SessionBuilder timeout(Duration limit) {
        return option("timeout_ms", Text.milliseconds("timeout", limit));
    }

    public SessionBuilder connectTimeout(Duration limit) {
        return option("connect_timeout_ms", Text.milliseconds("connect_timeout", limit));
    }

    public SessionBuilder retries(int retries) {
        return option("retries", retries);
    }

    public SessionBuilder retryDelay(Duration pause) {
        return option("retry_delay_ms", Text.milliseconds("retry_delay", pause));
    }

    /** Processes share tokens in this file. */
    public SessionBuilder tokenFile(Path file) {
        return option("token_file", file.toString());
    }

    /** An option by the library's name, see the header. */
    public SessionBuilder option(String name, Object value) {
        options.put(name, value);
        return this;
    }

    /** Options as a JSON object. */
    public SessionBuilder options(String json) {
        Text.members(json).entrySet().forEach(member -> options.put(member.getKey(), member.getValue()));
        return this;
    }

    /** Where futures complete, and what depends on them runs; by default as for every CompletableFuture. */
    public SessionBuilder executor(Executor executor) {
        this.executor = executor;
        return this;
    }

    /** For public pages alone. */
    public Session forPublic() {
        return make((c, o, e) -> c.mailru_public_session_new(o, e));
    }

    /** With an access token that the program has already; uid may be null. */
    public Session token(String accessToken, String uid) {
        return make((c, o, e) -> c.mailru_token_session_new(app(), privateKey(), secretKey(),
                Text.text("access_token", accessToken), Text.text("uid", uid), o, e));
    }

    /** With an access token, signed client-server for the user uid. */
    public Session client(String accessToken, String uid) {
        return make((c, o, e) -> c.mailru_client_session_new(app(), privateKey(),
                Text.text("access_token", accessToken), Text.text("uid", uid), o, e));
    }

    /** Signed server-server; with an empty access token calls name their user by the parameter uid. */
    public Session server(String accessToken) {
        return make((c, o, e) -> c.mailru_server_session_new(app(), secretKey(),
                Text.text("access_token", accessToken), o, e));
    }

    /** By the code of a redirect, see Mailru.parseRedirect. */
    public Session code(String code, String redirectUri) {
        byte[] given = Text.text("code", code);
        byte[] address = Text.text("redirect_uri", redirectUri);
        return make(byCircuit(
                (c, o, e) -> c.mailru_code_session_new(app(), privateKey(), secretKey(), given, address, o, e),
                (c, o, e) -> c.mailru_code_client_session_new(app(), privateKey(), given, address, o, e),
                (c, o, e) -> c.mailru_code_server_session_new(app(), secretKey(), given, address, o, e)));
    }

    /** By the user's password, for these privileges; for all without any. */
    public Session password(String email, String password, String... scope) {
        byte[] user = Text.text("email", email);
        byte[] word = Text.text("password", password);
        byte[] all = Text.text("scope", String.join(" ", scope));
        return make(byCircuit(
                (c, o, e) -> c.mailru_password_session_new(app(), privateKey(), secretKey(), user, word, all, o, e),
                (c, o, e) -> c.mailru_password_client_session_new(app(), privateKey(), user, word, all, o, e),
                (c, o, e) -> c.mailru_password_server_session_new(app(), secretKey(), user, word, all, o, e)));
    }

    /** By a refresh token. */
    public Session refresh(String refreshToken) {
        byte[] token = Text.text("refresh_token", refreshToken);
        return make(byCircuit(
                (c, o, e) -> c.mailru_refresh_session_new(app(), privateKey(), secretKey(), token, o, e),
                (c, o, e) -> c.mailru_refresh_client_session_new(app(), privateKey(), token, o, e),
                (c, o, e) -> c.mailru_refresh_server_session_new(app(), secretKey(), token, o, e)));
    }

    /** By what an earlier session's token listener stored; null with the option token_file. */
    public Session stored(String tokensJson) {
        return make((c, o, e) -> c.mailru_stored_session_new(app(), privateKey(), secretKey(),
                Text.text("tokens_json", tokensJson), o, e));
    }

    public Session stored(Tokens tokens) {
        return stored(tokens.toJson());
    }

    private interface Constructor {
        long call(Library.Functions c, byte[] options, Pointer[] error);
    }

    private Session make(Constructor constructor) {
        byte[] json = Text.text("options_json", Text.object("options_json", options));
        Function<Pointer[], Number> made = error -> constructor.call(Library.functions(), json, error);
        return new Session(Library.made(made), executor);
    }

    private Constructor byCircuit(Constructor inferred, Constructor client, Constructor server) {
        return circuit == null ? inferred : circuit == Session.Circuit.CLIENT ? client : server;
    }

    private byte[] app() {
        return Text.text("app_id", appId);
    }

    private byte[] privateKey() {
        return Text.text("private_key", privateKey);
    }

    private byte[] secretKey() {
        return Text.text("secret_key", secretKey);
    }
}
