package libmailru;

import com.sun.jna.Callback;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import java.lang.ref.Cleaner;
import java.lang.ref.WeakReference;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** The C functions. Texts go as UTF-8 with their NUL; JNA's own strings would depend on the machine's settings. */
final class Library {
    static final int ABI_VERSION = 0;

    /** Frees what a program forgot to close. */
    static final Cleaner CLEANER = Cleaner.create();

    private Library() {}

    interface Functions extends com.sun.jna.Library {
        long mailru_public_session_new(byte[] options, Pointer[] error);
        long mailru_token_session_new(byte[] appId, byte[] privateKey, byte[] secretKey, byte[] accessToken, byte[] uid,
                byte[] options, Pointer[] error);
        long mailru_client_session_new(byte[] appId, byte[] privateKey, byte[] accessToken, byte[] uid, byte[] options,
                Pointer[] error);
        long mailru_server_session_new(byte[] appId, byte[] secretKey, byte[] accessToken, byte[] options,
                Pointer[] error);
        long mailru_code_session_new(byte[] appId, byte[] privateKey, byte[] secretKey, byte[] code, byte[] redirectUri,
                byte[] options, Pointer[] error);
        long mailru_code_client_session_new(byte[] appId, byte[] privateKey, byte[] code, byte[] redirectUri,
                byte[] options, Pointer[] error);
        long mailru_code_server_session_new(byte[] appId, byte[] secretKey, byte[] code, byte[] redirectUri,
                byte[] options, Pointer[] error);
        long mailru_password_session_new(byte[] appId, byte[] privateKey, byte[] secretKey, byte[] email,
                byte[] password, byte[] scope, byte[] options, Pointer[] error);
        long mailru_password_client_session_new(byte[] appId, byte[] privateKey, byte[] email, byte[] password,
                byte[] scope, byte[] options, Pointer[] error);
        long mailru_password_server_session_new(byte[] appId, byte[] secretKey, byte[] email, byte[] password,
                byte[] scope, byte[] options, Pointer[] error);
        long mailru_refresh_session_new(byte[] appId, byte[] privateKey, byte[] secretKey, byte[] refreshToken,
                byte[] options, Pointer[] error);
        long mailru_refresh_client_session_new(byte[] appId, byte[] privateKey, byte[] refreshToken, byte[] options,
                Pointer[] error);
        long mailru_refresh_server_session_new(byte[] appId, byte[] secretKey, byte[] refreshToken, byte[] options,
                Pointer[] error);
        long mailru_stored_session_new(byte[] appId, byte[] privateKey, byte[] secretKey, byte[] tokens, byte[] options,
                Pointer[] error);

        // What waits in C, which Java cannot interrupt: declared for completeness, and done by mailru_queue_request.
        Pointer mailru_call(long session, byte[] method, byte[] params, int[] code);
        Pointer mailru_call_within(long session, byte[] method, byte[] params, long timeoutMs, long cancel,
                int[] code);
        Pointer mailru_upload(long session, byte[] method, byte[] params, byte[] field, byte[] fileName, byte[] data,
                SizeT size, int[] code);
        Pointer mailru_request(long session, byte[] request, byte[] data, SizeT size, long cancel, int[] code);
        Pointer mailru_public(long session, byte[] path, byte[] params, int[] code);
        Pointer mailru_authorize(long session, int[] code);

        Pointer mailru_sign(long session, byte[] method, byte[] params, int[] code);
        Pointer mailru_tokens(long session, int[] code);
        Pointer mailru_stats(long session, int[] code);
        int mailru_session_set_tokens(long session, byte[] tokens, Pointer[] error);
        int mailru_session_on_token(long session, Told told, Pointer userData, Released released);
        int mailru_session_on_renewal(long session, Renewing renewing, Pointer userData, Released released);
        int mailru_session_hold(long session, int hold);
        int mailru_session_cancel(long session);
        void mailru_session_free(long session);

        long mailru_cancel_new();
        int mailru_cancel_fire(long cancel);
        int mailru_cancel_progress(long cancel, long[] sent, long[] total);
        void mailru_cancel_free(long cancel);

        long mailru_queue_new(int workers, int capacity, Pointer[] error);
        int mailru_queue_submit(long queue, long session, byte[] method, byte[] params, long tag,
                Pointer[] error);
        int mailru_queue_request(long queue, long session, byte[] request, byte[] data, SizeT size, long cancel,
                long tag, Pointer[] error);
        Pointer mailru_queue_next(long queue, int timeoutMs, long[] tag, int[] code);
        int mailru_queue_cancel(long queue, long tag);
        int mailru_queue_fd(long queue);
        void mailru_queue_free(long queue);

        void mailru_string_free(Pointer text);
        String mailru_version();
        int mailru_abi_version();
        String mailru_code_name(int code);
        Pointer mailru_methods(int[] code);
        Pointer mailru_errors(int[] code);
        long mailru_error_number(byte[] error);
        int mailru_error_transient(byte[] error);
        Pointer mailru_error_message(byte[] error, int[] code);
        Pointer mailru_authorize_url(byte[] appId, byte[] redirectUri, byte[] responseType, byte[] scope, byte[] state,
                int[] code);
        Pointer mailru_authorize_url_at(byte[] address, byte[] appId, byte[] redirectUri, byte[] responseType,
                byte[] scope, byte[] state, int[] code);
        Pointer mailru_parse_redirect(byte[] url, byte[] expectedState, int[] code);
        Pointer mailru_verify(byte[] secretKey, byte[] params, int[] code);
        Pointer mailru_verify_launch(byte[] secretKey, byte[] params, int[] code);
        Pointer mailru_verify_query(byte[] kind, byte[] secretKey, byte[] query, int[] code);
        int mailru_set_log(Logged logged, Pointer userData, Released released, int level);
    }

    interface Told extends Callback {
        void invoke(Pointer userData, Pointer tokens);
    }

    interface Renewing extends Callback {
        void invoke(Pointer userData, int phase);
    }

    interface Logged extends Callback {
        void invoke(Pointer userData, int level, Pointer line);
    }

    interface Released extends Callback {
        void invoke(Pointer userData);
    }

    /** C's size_t. */
    public static final class SizeT extends com.sun.jna.IntegerType {
        private static final long serialVersionUID = 1;

        public SizeT() {
            this(0);
        }

        SizeT(long value) {
            super(Native.SIZE_T_SIZE, value, true);
        }
    }

    /** Weak, and held by whatever is in use: JNA's thread keeps the class loader of what this class would hold. */
    private static WeakReference<Functions> functions = new WeakReference<>(null);

    /** Loaded on first use, and again if that failed: a class that cannot be initialized says why only once. */
    static synchronized Functions functions() {
        Functions loaded = functions.get();
        if (loaded == null) {
            loaded = load();
            functions = new WeakReference<>(loaded);
        }
        return loaded;
    }

    /** MAILRU_LIBRARY alone if that is set, else beside the wrapper, then by the system's loader. */
    private static List<String> candidates() {
        String named = System.getenv("MAILRU_LIBRARY");
        if (named != null && !named.isEmpty()) {
            return List.of(named);
        }
        String file = Platform.isWindows() ? "mailru.dll"
                : Platform.isMac() ? "libmailru.dylib" : "libmailru.so." + ABI_VERSION;
        List<String> all = new ArrayList<>();
        try {
            CodeSource source = Library.class.getProtectionDomain().getCodeSource();
            if (source != null && "file".equals(source.getLocation().getProtocol())) {
                Path classes = Path.of(source.getLocation().toURI());
                all.add(classes.resolveSibling(file).toString());
            }
        } catch (URISyntaxException | SecurityException unknown) {
            // Then there is no place beside the wrapper.
        }
        all.add(file);
        return all;
    }

    private static Functions load() {
        StringBuilder tried = new StringBuilder();
        for (String path : candidates()) {
            try {
                Functions loaded = Native.load(path, Functions.class);
                if (loaded.mailru_abi_version() == ABI_VERSION) {
                    return loaded;
                }
                tried.append("\n  ").append(path).append(": its binary interface is another");
            } catch (UnsatisfiedLinkError error) {
                tried.append("\n  ").append(path).append(": ").append(error.getMessage().lines().findFirst().orElse(""));
            }
        }
        throw new UnsatisfiedLinkError(
                "libmailru cannot be loaded; set MAILRU_LIBRARY to the path of its file. Tried:" + tried);
    }

    /** Takes over a string of the library's. */
    static String taken(Pointer text) {
        if (text == null) {
            return null;
        }
        try {
            return text.getString(0, "UTF-8");
        } finally {
            functions().mailru_string_free(text);
        }
    }

    /** Runs a function that answers with JSON and a code. */
    static String answer(Function<int[], Pointer> function) {
        int[] code = new int[1];
        String json = taken(function.apply(code));
        if (code[0] != 0) {
            throw MailruException.of(code[0], json);
        }
        return json;
    }

    /** Runs a function that gives an error's JSON beside a handle or a code. */
    static long made(Function<Pointer[], Number> function) {
        Pointer[] error = new Pointer[1];
        long outcome = function.apply(error).longValue();
        String json = taken(error[0]);
        if (json != null) {
            throw MailruException.of(-(int) functions().mailru_error_number(Text.c(json)), json);
        }
        return outcome;
    }

    /** Throws what a function answered that gives a code alone. */
    static void done(int code, String what) {
        if (code != 0) {
            throw MailruException.local(code, what + ": " + functions().mailru_code_name(code), null);
        }
    }
}
