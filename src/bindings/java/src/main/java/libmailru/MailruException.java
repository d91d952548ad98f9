package libmailru;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/** A failure. What it is tells its class; what is known of it tell its methods. */
public class MailruException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int code;
    private final String name;
    private final long number;
    private final boolean mayPass;
    private final String text;
    private final String json;

    private MailruException(Known known) {
        super(known.name + " " + known.number + ": " + known.text);
        code = known.code;
        name = known.name;
        number = known.number;
        mayPass = known.mayPass;
        text = known.text;
        json = known.json;
    }

    /** What the library says of an error. */
    private record Known(int code, String name, long number, boolean mayPass, String text, String json) {
        static Known of(int code, String json) {
            Library.Functions c = Library.functions();
            byte[] error = Text.c(json);
            int[] status = new int[1];
            String text = Library.taken(c.mailru_error_message(error, status));
            return new Known(code, c.mailru_code_name(code), c.mailru_error_number(error),
                    c.mailru_error_transient(error) == 1, status[0] == 0 ? text : json, json);
        }
    }

    /** The error of a code, in the code's class. */
    static MailruException of(int code, String json) {
        Known known = Known.of(code, json == null ? "" : json);
        return switch (code) {
            case 1 -> new InvalidArgument(known);
            case 2 -> new InvalidHandle(known);
            case 3 -> new SignatureUndefined(known);
            case 4 -> new SignatureMismatch(known);
            case 5 -> new Reentered(known);
            case 10 -> new Api(known);
            case 11 -> new OAuth(known);
            case 12, 13, 14 -> new Response(known);
            case 15 -> new Http(known);
            case 20 -> new Network(known);
            case 21 -> new Timeout(known);
            case 22 -> new Tls(known);
            case 23 -> new Cancelled(known);
            case 24 -> new OutOfMemory(known);
            case 30 -> new QueueFull(known);
            default -> new MailruException(known);
        };
    }

    /** An error that is noticed before C is called, in the library's shape. */
    static MailruException local(int code, String text, String argument) {
        JsonObject error = new JsonObject();
        error.addProperty("error_code", -code);
        error.addProperty("error_msg", text);
        if (argument != null) {
            error.addProperty("argument", argument);
        }
        error.addProperty("transient", false);
        JsonObject all = new JsonObject();
        all.add("error", error);
        return of(code, all.toString());
    }

    /** An argument that the library would not take as it is. */
    static MailruException argument(String name, String text) {
        return local(1, name + " " + text, name);
    }

    /** The library's code, such as 21. */
    public int code() {
        return code;
    }

    /** The code's name, such as "MAILRU_TIMEOUT". */
    public String name() {
        return name;
    }

    /** The platform's number of its own errors; else minus the code. */
    public long number() {
        return number;
    }

    /** The text alone. */
    public String text() {
        return text;
    }

    /** Whether the same call may succeed later. */
    public boolean isTransient() {
        return mayPass;
    }

    /** The error's JSON, the platform's own for its errors. */
    public String json() {
        return json;
    }

    /** Whether a byte of the request may have reached a server: a write may be made again only if this is false. Empty
     * if no request was made. */
    public Optional<Boolean> sent() {
        return member("sent").map(JsonElement::getAsBoolean);
    }

    /** Which argument, option or parameter was wrong. */
    public Optional<String> argument() {
        return member("argument").map(JsonElement::getAsString);
    }

    /** What an answer lacks. */
    public Optional<String> field() {
        return member("field").map(JsonElement::getAsString);
    }

    public OptionalInt httpStatus() {
        return member("http_status").map(status -> OptionalInt.of(status.getAsInt())).orElse(OptionalInt.empty());
    }

    /** How long to wait before the next request, if the server said so. */
    public Optional<Duration> retryAfter() {
        return member("retry_after_ms").map(ms -> Duration.ofMillis(ms.getAsLong()));
    }

    /** What the authorization server answered. */
    public Optional<JsonElement> oauth() {
        return member("oauth");
    }

    /** What the platform answered where its error has an unknown shape. */
    public Optional<JsonElement> platform() {
        return member("platform");
    }

    private Optional<JsonElement> member(String name) {
        try {
            JsonElement error = Text.parsed(json).getAsJsonObject().get("error");
            return Optional.ofNullable(error.getAsJsonObject().get(name)).filter(member -> !member.isJsonNull());
        } catch (JsonParseException | IllegalStateException | NullPointerException other) {
            return Optional.empty();
        }
    }

    /** The caller's own mistake. */
    public static class Usage extends MailruException {
        private static final long serialVersionUID = 1;

        private Usage(Known known) {
            super(known);
        }
    }

    public static final class InvalidArgument extends Usage {
        private static final long serialVersionUID = 1;

        private InvalidArgument(Known known) {
            super(known);
        }
    }

    /** The session, cancel handle or queue was closed. */
    public static final class InvalidHandle extends Usage {
        private static final long serialVersionUID = 1;

        private InvalidHandle(Known known) {
            super(known);
        }
    }

    public static final class SignatureUndefined extends Usage {
        private static final long serialVersionUID = 1;

        private SignatureUndefined(Known known) {
            super(known);
        }
    }

    /** A call of the session inside its own listener would wait for itself. */
    public static final class Reentered extends Usage {
        private static final long serialVersionUID = 1;

        private Reentered(Known known) {
            super(known);
        }
    }

    /** What was to be verified is not the platform's. */
    public static final class SignatureMismatch extends MailruException {
        private static final long serialVersionUID = 1;

        private SignatureMismatch(Known known) {
            super(known);
        }
    }

    /** The platform answered with an error. */
    public static final class Api extends MailruException {
        private static final long serialVersionUID = 1;

        private Api(Known known) {
            super(known);
        }
    }

    /** The authorization server refused. */
    public static final class OAuth extends MailruException {
        private static final long serialVersionUID = 1;

        private OAuth(Known known) {
            super(known);
        }
    }

    /** An answer is empty, malformed or too large. */
    public static class Response extends MailruException {
        private static final long serialVersionUID = 1;

        private Response(Known known) {
            super(known);
        }
    }

    public static final class Http extends Response {
        private static final long serialVersionUID = 1;

        private Http(Known known) {
            super(known);
        }
    }

    public static class Network extends MailruException {
        private static final long serialVersionUID = 1;

        private Network(Known known) {
            super(known);
        }
    }

    public static final class Timeout extends Network {
        private static final long serialVersionUID = 1;

        private Timeout(Known known) {
            super(known);
        }
    }

    public static final class Tls extends Network {
        private static final long serialVersionUID = 1;

        private Tls(Known known) {
            super(known);
        }
    }

    /** The call was ended: by its cancel handle, its session, or an interrupt of its thread. */
    public static final class Cancelled extends MailruException {
        private static final long serialVersionUID = 1;

        private Cancelled(Known known) {
            super(known);
        }
    }

    public static final class OutOfMemory extends MailruException {
        private static final long serialVersionUID = 1;

        private OutOfMemory(Known known) {
            super(known);
        }
    }

    public static final class QueueFull extends MailruException {
        private static final long serialVersionUID = 1;

        private QueueFull(Known known) {
            super(known);
        }
    }
}
