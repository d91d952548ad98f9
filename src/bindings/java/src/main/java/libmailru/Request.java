package libmailru;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/**
 * What a session is to do, with limits of its own:
 *
 * <pre>
 * session.call(Request.call("friends.get", Map.of("ext", 1)).timeout(Duration.ofSeconds(5)));
 * </pre>
 */
public final class Request {
    private final JsonObject members = new JsonObject();
    private String params;
    private String whole;
    private byte[] data;
    private Cancel cancel;

    private Request() {}

    /** A method of the platform. */
    public static Request call(String method) {
        Request request = new Request();
        request.members.addProperty("method", checked("method", method));
        return request;
    }

    public static Request call(String method, Map<String, ?> params) {
        return call(method).params(params);
    }

    /** A method with a file's bytes, in the form's field of this name. */
    public static Request upload(String method, byte[] data, String field, String name) {
        Request request = call(method);
        JsonObject file = new JsonObject();
        file.addProperty("field", checked("field", field));
        file.addProperty("name", checked("file_name", name));
        request.members.add("file", file);
        if (data == null) {
            throw MailruException.argument("data", "is null");
        }
        request.data = data.clone();
        return request;
    }

    public static Request upload(String method, Path file, String field) throws IOException {
        return upload(method, Files.readAllBytes(file), field, file.getFileName().toString());
    }

    /** A public page, such as "mail/nick". */
    public static Request page(String path) {
        Request request = new Request();
        request.members.addProperty("public", checked("path", path));
        return request;
    }

    /** The tokens; calls get them by themselves. */
    public static Request authorize() {
        Request request = new Request();
        request.members.addProperty("authorize", true);
        return request;
    }

    /** The library's JSON, as mailru_request takes it; its other settings are in it. */
    public static Request json(String json, byte[] data) {
        Request request = new Request();
        request.whole = checked("request_json", json);
        request.data = data == null ? null : data.clone();
        return request;
    }

    /** Values are texts, numbers, booleans, lists of these, or anything that Gson writes. */
    public Request params(Map<String, ?> params) {
        this.params = Text.object("params_json", params);
        return this;
    }

    /** Parameters as a JSON object that the program made. */
    public Request paramsJson(String json) {
        params = Text.object("params_json", json);
        return this;
    }

    /** The media type of an upload. */
    public Request type(String type) {
        members.getAsJsonObject("file").addProperty("type", checked("type", type));
        return this;
    }

    /** The limit of this call. */
    public Request timeout(Duration limit) {
        members.addProperty("timeout_ms", Text.milliseconds("timeout", limit));
        return this;
    }

    public Request retries(int retries) {
        members.addProperty("retries", retries);
        return this;
    }

    /** Hands over any JSON, also the platform's errors, as an answer. */
    public Request passError(boolean pass) {
        members.addProperty("pass_error", pass);
        return this;
    }

    /** What may end the call. */
    public Request cancel(Cancel cancel) {
        this.cancel = cancel;
        return this;
    }

    byte[] json() {
        if (whole != null) {
            return Text.text("request_json", whole);
        }
        String json = members.toString();
        // As it was written, digit by digit; it is an object.
        String all = params == null ? json : json.substring(0, json.length() - 1) + ",\"params\":" + params + "}";
        return Text.text("params_json", all);
    }

    byte[] data() {
        return data;
    }

    long cancelNumber() {
        return cancel == null ? 0 : cancel.number;
    }

    private static String checked(String name, String text) {
        if (text == null) {
            throw MailruException.argument(name, "is null");
        }
        Text.text(name, text);
        return text;
    }
}
