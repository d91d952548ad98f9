package libmailru;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.Map;

/** What needs no session. */
public final class Mailru {
    private static final System.Logger.Level[] LEVELS = {System.Logger.Level.OFF, System.Logger.Level.ERROR,
        System.Logger.Level.WARNING, System.Logger.Level.INFO, System.Logger.Level.DEBUG};

    private static volatile System.Logger logger;
    private Mailru() {}

    /** What a redirect brought: a code, or tokens. */
    public record Redirect(String code, Tokens tokens) {}

    public static String version() {
        return Library.functions().mailru_version();
    }

    public static int abiVersion() {
        return Library.functions().mailru_abi_version();
    }

    /** How many calls of the process are under way. */
    public static int inFlight() {
        return Calls.inFlight();
    }

    /** Has the library's log, of the whole process, told to a logger, up to the level that it writes; null switches the
     * log off. */
    public static synchronized void log(System.Logger receiver) {
        int level = 0;
        for (int each = 1; receiver != null && each < LEVELS.length; each++) {
            level = receiver.isLoggable(LEVELS[each]) ? each : level;
        }
        logger = receiver;
        Library.Functions c = Library.functions();
        if (receiver == null) {
            Library.done(c.mailru_set_log(null, null, null, 0), "level");
        } else {
            int most = level;
            Callbacks.register(null, "level", (held, own) -> c.mailru_set_log(held.logged, own, held.released, most));
        }
    }

    static void logged(int level, String line) {
        System.Logger current = logger;
        if (current != null && level > 0 && level < LEVELS.length) {
            current.log(LEVELS[level], line);
        }
    }

    /** The platform's methods that are known: name, summary, write, privilege, params. */
    public static JsonArray catalogue() {
        return Text.parsed(Library.answer(Library.functions()::mailru_methods)).getAsJsonArray();
    }

    /** The platform's errors that are known: code, meaning, transient, advice. */
    public static JsonArray errorCatalogue() {
        return Text.parsed(Library.answer(Library.functions()::mailru_errors)).getAsJsonArray();
    }

    /** The address at which a user lets the application in. Keep the state in the user's own session. */
    public static String authorizeUrl(String appId, String redirectUri, String state, String... scope) {
        return authorizeUrl(null, "code", appId, redirectUri, state, scope);
    }

    /** The same for another response than a code ("token", for desktop programs), and for another authorization server's
     * page for logins, such as the sandbox's; null is the platform's. */
    public static String authorizeUrl(String server, String responseType, String appId, String redirectUri, String state,
            String[] scope) {
        byte[] page = Text.text("address", server);
        byte[] response = Text.text("response_type", responseType);
        byte[] app = Text.text("app_id", appId);
        byte[] address = Text.text("redirect_uri", redirectUri);
        byte[] sent = Text.text("state", state);
        byte[] all = Text.text("scope", String.join(" ", scope));
        String json = Library.answer(code -> page == null
                ? Library.functions().mailru_authorize_url(app, address, response, all, sent, code)
                : Library.functions().mailru_authorize_url_at(page, app, address, response, all, sent, code));
        return Text.text(Text.members(json), "url");
    }

    /** Reads where the browser was sent. expectedState is the one that was sent; null compares none, and then nothing
     * protects against forged logins. */
    public static Redirect parseRedirect(String url, String expectedState) {
        byte[] address = Text.text("url", url);
        byte[] state = Text.text("expected_state", expectedState);
        String json = Library.answer(code -> Library.functions().mailru_parse_redirect(address, state, code));
        String code = Text.text(Text.members(json), "code");
        return code != null ? new Redirect(code, null) : new Redirect(null, Tokens.parse(json));
    }

    /** Checks a payment callback's parameters; what is not the platform's is SignatureMismatch. verifyQuery is safer. */
    public static void verify(String secretKey, Map<String, ?> params) {
        byte[] key = Text.text("secret_key", secretKey);
        byte[] json = Text.text("params_json", Text.object("params_json", params));
        Library.answer(code -> Library.functions().mailru_verify(key, json, code));
    }

    /** The same for launch parameters. */
    public static void verifyLaunch(String secretKey, Map<String, ?> params) {
        byte[] key = Text.text("secret_key", secretKey);
        byte[] json = Text.text("params_json", Text.object("params_json", params));
        Library.answer(code -> Library.functions().mailru_verify_launch(key, json, code));
    }

    /** Checks a query string as it came: "payment", "launch", "cookie" or "launch_by_key". Use the params of the answer
     * and nothing else of the query. */
    public static JsonObject verifyQuery(String kind, String secretKey, String query) {
        byte[] what = Text.text("kind", kind);
        byte[] key = Text.text("secret_key", secretKey);
        byte[] text = Text.text("query", query);
        return Text.members(
                Library.answer(code -> Library.functions().mailru_verify_query(what, key, text, code)));
    }
}
