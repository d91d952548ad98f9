using System;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Mailru
{
    /// <summary>A session's tokens; what is unknown is null. ToJson is what to store, and Session.Stored takes it.</summary>
    public sealed class Tokens : IEquatable<Tokens>
    {
        private static readonly DateTime Epoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);

        public string AccessToken { get; }
        public string RefreshToken { get; }
        public TimeSpan? ExpiresIn { get; }
        /// <summary>In UTC.</summary>
        public DateTime? ExpiresAt { get; }
        public string Uid { get; }
        public string TokenType { get; }
        public string Circuit { get; }

        private readonly string json;

        private Tokens(string json)
        {
            var members = (JObject)Json.Parse(json);
            this.json = json;
            AccessToken = Json.Text(members, "access_token");
            RefreshToken = Json.Text(members, "refresh_token");
            string life = Json.Text(members, "expires_in"), end = Json.Text(members, "expires_at");
            ExpiresIn = life == null ? (TimeSpan?)null : TimeSpan.FromSeconds(long.Parse(life));
            ExpiresAt = end == null ? (DateTime?)null : Epoch.AddSeconds(long.Parse(end));
            Uid = Json.Text(members, "uid");
            TokenType = Json.Text(members, "token_type");
            Circuit = Json.Text(members, "circuit");
        }

        /// <summary>From what was stored.</summary>
        public static Tokens Parse(string json)
        {
            try
            {
                return new Tokens(json);
            }
            catch (Exception error) when (error is JsonException || error is InvalidCastException || error is FormatException)
            {
                throw MailruException.Argument("tokens_json", "holds no tokens");
            }
        }

        public string ToJson()
        {
            return json;
        }

        public bool Equals(Tokens other)
        {
            return other != null && other.json == json;
        }

        public override bool Equals(object other)
        {
            return Equals(other as Tokens);
        }

        public override int GetHashCode()
        {
            return json.GetHashCode();
        }

        /// <summary>Without the secrets, which would else stand in logs.</summary>
        public override string ToString()
        {
            return "Tokens of user " + Uid + " until " + ExpiresAt;
        }
    }
}
