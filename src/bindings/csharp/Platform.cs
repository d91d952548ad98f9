using System;
using Newtonsoft.Json.Linq;

namespace Mailru
{
    /// <summary>The levels of the library's log.</summary>
    public enum LogLevel
    {
        Off,
        Error,
        Warning,
        Info,
        Debug
    }

    /// <summary>What a redirect brought: a code, or tokens.</summary>
    public sealed class Redirect
    {
        public string Code { get; internal set; }
        public Tokens Tokens { get; internal set; }
    }

    /// <summary>What needs no session.</summary>
    public static class Platform
    {
        private static volatile Action<LogLevel, string> logger;

        /// <summary>Told of what a listener threw; without a handler it is written to standard error.</summary>
        public static event EventHandler<ListenerFailedEventArgs> ListenerFailed;

        public static string Version
        {
            get { return Native.Text(Native.Function<C.mailru_version>.Call()); }
        }

        public static uint AbiVersion
        {
            get { return Native.Function<C.mailru_abi_version>.Call(); }
        }

        /// <summary>How many calls of the process are under way.</summary>
        public static int InFlight
        {
            get { return Calls.Count; }
        }

        /// <summary>Has the library's log, of the whole process, told to a function, up to a level; null switches it off. It
        /// runs on whichever thread a line comes from.</summary>
        public static void Log(Action<LogLevel, string> receiver, LogLevel level = LogLevel.Info)
        {
            logger = receiver;
            int code = receiver == null
                ? Native.Function<C.mailru_set_log>.Call(null, IntPtr.Zero, null, 0)
                : Native.Function<C.mailru_set_log>.Call(Listeners.Logged, Listeners.Register(null), Listeners.Released,
                    (int)level);
            Native.Done(code, "level");
        }

        /// <summary>The platform's methods that are known: name, summary, write, privilege, params.</summary>
        public static JArray Catalogue()
        {
            IntPtr answer = Native.Function<C.mailru_methods>.Call(out int code);
            return (JArray)Json.Parse(Native.Answer(answer, code));
        }

        /// <summary>The platform's errors that are known: code, meaning, transient, advice.</summary>
        public static JArray ErrorCatalogue()
        {
            IntPtr answer = Native.Function<C.mailru_errors>.Call(out int code);
            return (JArray)Json.Parse(Native.Answer(answer, code));
        }

        /// <summary>The address at which a user lets the application in. Keep the state in the user's own session.
        /// address is another authorization server's page for logins, such as the sandbox's.</summary>
        public static string AuthorizeUrl(string appId, string redirectUri, string state = null, string scope = null,
            string responseType = null, string address = null)
        {
            byte[] page = Native.Utf8("address", address), app = Native.Utf8("app_id", appId);
            byte[] uri = Native.Utf8("redirect_uri", redirectUri), response = Native.Utf8("response_type", responseType);
            byte[] all = Native.Utf8("scope", scope), sent = Native.Utf8("state", state);
            int code;
            IntPtr answer = page == null
                ? Native.Function<C.mailru_authorize_url>.Call(app, uri, response, all, sent, out code)
                : Native.Function<C.mailru_authorize_url_at>.Call(page, app, uri, response, all, sent, out code);
            return Json.Text((JObject)Json.Parse(Native.Answer(answer, code)), "url");
        }

        /// <summary>Reads where the browser was sent. expectedState is the one that was sent; null compares none, and then
        /// nothing protects against forged logins.</summary>
        public static Redirect ParseRedirect(string url, string expectedState)
        {
            IntPtr answer = Native.Function<C.mailru_parse_redirect>.Call(Native.Utf8("url", url),
                Native.Utf8("expected_state", expectedState), out int code);
            string json = Native.Answer(answer, code);
            string given = Json.Text((JObject)Json.Parse(json), "code");
            return given != null ? new Redirect { Code = given } : new Redirect { Tokens = Tokens.Parse(json) };
        }

        /// <summary>Checks a payment callback's parameters; what is not the platform's is a SignatureMismatchException.
        /// VerifyQuery is safer.</summary>
        public static void Verify(string secretKey, object parameters)
        {
            IntPtr answer = Native.Function<C.mailru_verify>.Call(Native.Utf8("secret_key", secretKey),
                Native.Utf8("params_json", Json.Object("params_json", parameters)), out int code);
            Native.Answer(answer, code);
        }

        /// <summary>The same for launch parameters.</summary>
        public static void VerifyLaunch(string secretKey, object parameters)
        {
            IntPtr answer = Native.Function<C.mailru_verify_launch>.Call(Native.Utf8("secret_key", secretKey),
                Native.Utf8("params_json", Json.Object("params_json", parameters)), out int code);
            Native.Answer(answer, code);
        }

        /// <summary>Checks a query string as it came: "payment", "launch", "cookie" or "launch_by_key". Use the params of the
        /// answer and nothing else of the query.</summary>
        public static JObject VerifyQuery(string kind, string secretKey, string query)
        {
            IntPtr answer = Native.Function<C.mailru_verify_query>.Call(Native.Utf8("kind", kind),
                Native.Utf8("secret_key", secretKey), Native.Utf8("query", query), out int code);
            return (JObject)Json.Parse(Native.Answer(answer, code));
        }

        internal static void Told(int level, string line)
        {
            logger?.Invoke((LogLevel)level, line);
        }

        internal static void Report(ListenerFailedEventArgs failure)
        {
            EventHandler<ListenerFailedEventArgs> handler = ListenerFailed;
            if (handler != null)
            {
                handler(null, failure);
            }
            else
            {
                Console.Error.WriteLine("mailru: the " + failure.Listener + " threw " + failure.Exception);
            }
        }
    }
}
