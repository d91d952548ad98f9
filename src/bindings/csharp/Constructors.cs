using System;

namespace Mailru
{
    // The ways to a session.
    public sealed partial class Session
    {
        /// <summary>For public pages alone.</summary>
        public static Session Public(SessionOptions options = null)
        {
            ulong made = Native.Function<C.mailru_public_session_new>.Call(SessionOptions.ToJson(options), out IntPtr error);
            return new Session(made, error);
        }

        /// <summary>With an access token that the program has already.</summary>
        public static Session Token(string appId, string accessToken, string privateKey = null, string secretKey = null,
            string uid = null, SessionOptions options = null)
        {
            ulong made = Native.Function<C.mailru_token_session_new>.Call(Native.Utf8("app_id", appId),
                Native.Utf8("private_key", privateKey), Native.Utf8("secret_key", secretKey),
                Native.Utf8("access_token", accessToken), Native.Utf8("uid", uid), SessionOptions.ToJson(options),
                out IntPtr error);
            return new Session(made, error);
        }

        /// <summary>With an access token, signed client-server for the user uid.</summary>
        public static Session Client(string appId, string privateKey, string accessToken, string uid,
            SessionOptions options = null)
        {
            ulong made = Native.Function<C.mailru_client_session_new>.Call(Native.Utf8("app_id", appId),
                Native.Utf8("private_key", privateKey), Native.Utf8("access_token", accessToken),
                Native.Utf8("uid", uid), SessionOptions.ToJson(options), out IntPtr error);
            return new Session(made, error);
        }

        /// <summary>Signed server-server; with an empty access token calls name their user by the parameter
        /// uid.</summary>
        public static Session Server(string appId, string secretKey, string accessToken = "",
            SessionOptions options = null)
        {
            ulong made = Native.Function<C.mailru_server_session_new>.Call(Native.Utf8("app_id", appId),
                Native.Utf8("secret_key", secretKey), Native.Utf8("access_token", accessToken),
                SessionOptions.ToJson(options), out IntPtr error);
            return new Session(made, error);
        }

        /// <summary>By the code of a redirect, see Platform.ParseRedirect.</summary>
        public static Session Code(string appId, string code, string redirectUri, string privateKey = null,
            string secretKey = null, Circuit circuit = Circuit.Inferred, SessionOptions options = null)
        {
            byte[] app = Native.Utf8("app_id", appId), given = Native.Utf8("code", code);
            byte[] address = Native.Utf8("redirect_uri", redirectUri), json = SessionOptions.ToJson(options);
            byte[] client = Native.Utf8("private_key", privateKey), server = Native.Utf8("secret_key", secretKey);
            ulong made;
            IntPtr error;
            switch (circuit)
            {
                case Circuit.Client:
                    made = Native.Function<C.mailru_code_client_session_new>.Call(app, client, given, address, json, out error);
                    break;
                case Circuit.Server:
                    made = Native.Function<C.mailru_code_server_session_new>.Call(app, server, given, address, json, out error);
                    break;
                default:
                    made = Native.Function<C.mailru_code_session_new>.Call(app, client, server, given, address, json, out error);
                    break;
            }
            return new Session(made, error);
        }

        /// <summary>By the user's password. Without a scope for all privileges.</summary>
        public static Session Password(string appId, string email, string password, string privateKey = null,
            string secretKey = null, string scope = null, Circuit circuit = Circuit.Inferred,
            SessionOptions options = null)
        {
            byte[] app = Native.Utf8("app_id", appId), user = Native.Utf8("email", email);
            byte[] word = Native.Utf8("password", password), all = Native.Utf8("scope", scope);
            byte[] client = Native.Utf8("private_key", privateKey), server = Native.Utf8("secret_key", secretKey);
            byte[] json = SessionOptions.ToJson(options);
            ulong made;
            IntPtr error;
            switch (circuit)
            {
                case Circuit.Client:
                    made = Native.Function<C.mailru_password_client_session_new>.Call(app, client, user, word, all, json, out error);
                    break;
                case Circuit.Server:
                    made = Native.Function<C.mailru_password_server_session_new>.Call(app, server, user, word, all, json, out error);
                    break;
                default:
                    made = Native.Function<C.mailru_password_session_new>.Call(app, client, server, user, word, all, json, out error);
                    break;
            }
            return new Session(made, error);
        }

        /// <summary>By a refresh token.</summary>
        public static Session Refresh(string appId, string refreshToken, string privateKey = null,
            string secretKey = null, Circuit circuit = Circuit.Inferred, SessionOptions options = null)
        {
            byte[] app = Native.Utf8("app_id", appId), token = Native.Utf8("refresh_token", refreshToken);
            byte[] client = Native.Utf8("private_key", privateKey), server = Native.Utf8("secret_key", secretKey);
            byte[] json = SessionOptions.ToJson(options);
            ulong made;
            IntPtr error;
            switch (circuit)
            {
                case Circuit.Client:
                    made = Native.Function<C.mailru_refresh_client_session_new>.Call(app, client, token, json, out error);
                    break;
                case Circuit.Server:
                    made = Native.Function<C.mailru_refresh_server_session_new>.Call(app, server, token, json, out error);
                    break;
                default:
                    made = Native.Function<C.mailru_refresh_session_new>.Call(app, client, server, token, json, out error);
                    break;
            }
            return new Session(made, error);
        }

        /// <summary>By what an earlier session's token listener stored; null with the option token_file.</summary>
        public static Session Stored(string appId, Tokens tokens, string privateKey = null, string secretKey = null,
            SessionOptions options = null)
        {
            ulong made = Native.Function<C.mailru_stored_session_new>.Call(Native.Utf8("app_id", appId),
                Native.Utf8("private_key", privateKey), Native.Utf8("secret_key", secretKey),
                Native.Utf8("tokens_json", tokens?.ToJson()), SessionOptions.ToJson(options), out IntPtr error);
            return new Session(made, error);
        }
    }
}
