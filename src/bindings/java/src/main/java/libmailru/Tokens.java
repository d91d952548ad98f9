package libmailru;

import com.google.gson.JsonObject;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/** A session's tokens; what is unknown is null. toJson is what to store, and stored() of a builder takes it. */
public record Tokens(String accessToken, String refreshToken, Long expiresIn, Instant expiresAt, String uid,
        String tokenType, String circuit) {
    /** From what was stored. */
    public static Tokens parse(String json) {
        JsonObject members = Text.members(json);
        String end = Text.text(members, "expires_at");
        String life = Text.text(members, "expires_in");
        return new Tokens(Text.text(members, "access_token"), Text.text(members, "refresh_token"),
                life == null ? null : Long.valueOf(life), end == null ? null : Instant.ofEpochSecond(Long.parseLong(end)),
                Text.text(members, "uid"), Text.text(members, "token_type"), Text.text(members, "circuit"));
    }

    public String toJson() {
        Map<String, Object> members = new LinkedHashMap<>();
        members.put("access_token", accessToken);
        members.put("refresh_token", refreshToken);
        members.put("expires_in", expiresIn);
        members.put("expires_at", expiresAt == null ? null : expiresAt.getEpochSecond());
        members.put("uid", uid);
        members.put("token_type", tokenType);
        members.put("circuit", circuit);
        return Text.json(members);
    }

    /** Without the secrets, which would else stand in logs. */
    @Override
    public String toString() {
        return "Tokens[uid=" + uid + ", circuit=" + circuit + ", expiresAt=" + expiresAt + "]";
    }
}
