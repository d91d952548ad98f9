package libmailru;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;

/** What goes to C and what comes from it: texts, JSON, times. */
final class Text {
    private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    private static final BigInteger NANOS_OF_A_MILLISECOND = BigInteger.valueOf(1_000_000);

    private Text() {}

    /** A text of ours, which holds neither NUL nor half a character. */
    static byte[] c(String text) {
        return text == null ? null : (text + '\0').getBytes(StandardCharsets.UTF_8);
    }

    /** A text of the program's for C, which ends at a NUL. */
    static byte[] text(String name, String text) {
        if (text == null) {
            return null;
        }
        if (text.indexOf('\0') >= 0) {
            throw MailruException.argument(name, "holds a NUL character");
        }
        try {
            ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text + '\0'));
            return Arrays.copyOf(bytes.array(), bytes.limit());
        } catch (CharacterCodingException half) {
            throw MailruException.argument(name, "holds half of a character");
        }
    }

    /** Parameters as JSON; null if there are none. */
    static String object(String name, Map<String, ?> params) {
        try {
            return params == null || params.isEmpty() ? null : GSON.toJson(params);
        } catch (JsonParseException | IllegalArgumentException | StackOverflowError error) {
            throw MailruException.argument(name, "cannot be written as JSON: " + error.getMessage());
        }
    }

    /** JSON of the program's own, which has to be an object. */
    static String object(String name, String json) {
        if (json == null || json.isBlank()) {
            return null;
        }
        try {
            if (JsonParser.parseString(json).isJsonObject()) {
                return json;
            }
        } catch (JsonParseException error) {
            throw MailruException.argument(name, "is not JSON: " + error.getMessage());
        }
        throw MailruException.argument(name, "is not a JSON object");
    }

    static String json(Object value) {
        return GSON.toJson(value);
    }

    static JsonElement parsed(String json) {
        return JsonParser.parseString(json);
    }

    static JsonObject members(String json) {
        return JsonParser.parseString(json).getAsJsonObject();
    }

    /** A member's text, or null. */
    static String text(JsonObject members, String name) {
        JsonElement member = members.get(name);
        return member == null || !member.isJsonPrimitive() ? null : member.getAsString();
    }

    /** Whole milliseconds, upwards: a limit is never rounded to none. */
    static long milliseconds(String name, Duration limit) {
        BigInteger nanos = BigInteger.valueOf(limit.getSeconds()).multiply(BigInteger.valueOf(1_000_000_000))
                .add(BigInteger.valueOf(limit.getNano()));
        BigInteger[] parts = nanos.divideAndRemainder(NANOS_OF_A_MILLISECOND);
        BigInteger ms = parts[0].add(parts[1].signum() > 0 ? BigInteger.ONE : BigInteger.ZERO);
        if (ms.signum() <= 0 || ms.bitLength() > 53) {
            throw MailruException.argument(name, "is " + limit + ", not a positive time");
        }
        return ms.longValue();
    }
}
