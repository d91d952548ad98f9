using System;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Mailru
{
    /// <summary>A failure. What it is tells its class; what is known of it tell its members.</summary>
    public class MailruException : Exception
    {
        /// <summary>The library's code, such as 21, and its name, such as "MAILRU_TIMEOUT".</summary>
        public int Code { get; }
        public string Name { get; }
        /// <summary>The platform's number of its own errors; else minus the code.</summary>
        public long Number { get; }
        /// <summary>The text alone.</summary>
        public string Text { get; }
        /// <summary>Whether the same call may succeed later.</summary>
        public bool IsTransient { get; }
        /// <summary>The error's JSON, the platform's own for its errors.</summary>
        public string Json { get; }
        /// <summary>Whether a byte of the request may have reached a server: a write may be made again only if this is
        /// false. Null if no request was made.</summary>
        public bool? Sent { get; }
        /// <summary>Which argument, option or parameter was wrong; what an answer lacks.</summary>
        public string ArgumentName { get; }
        public string Field { get; }
        public int? HttpStatus { get; }
        /// <summary>How long to wait before the next request, if the server said so.</summary>
        public TimeSpan? RetryAfter { get; }
        /// <summary>What the authorization server, or the platform, answered.</summary>
        public JToken OAuth { get; }
        public JToken Platform { get; }

        internal MailruException(Known known) : base(known.Name + " " + known.Number + ": " + known.Text)
        {
            Code = known.Code;
            Name = known.Name;
            Number = known.Number;
            Text = known.Text;
            IsTransient = known.IsTransient;
            Json = known.Json;
            JObject members = known.Members;
            Sent = (bool?)(members["sent"] as JValue);
            ArgumentName = Mailru.Json.Text(members, "argument");
            Field = Mailru.Json.Text(members, "field");
            HttpStatus = (int?)(members["http_status"] as JValue);
            long? pause = (long?)(members["retry_after_ms"] as JValue);
            RetryAfter = pause == null ? (TimeSpan?)null : TimeSpan.FromMilliseconds(pause.Value);
            OAuth = members["oauth"];
            Platform = members["platform"];
        }

        /// <summary>What the library says of an error.</summary>
        internal sealed class Known
        {
            internal int Code;
            internal string Name;
            internal long Number;
            internal string Text;
            internal bool IsTransient;
            internal string Json;
            internal JObject Members;

            internal Known(int code, string json)
            {
                Code = code;
                Json = json ?? "";
                byte[] error = Native.Utf8(Json);
                Name = Native.CodeName(code);
                Number = Native.Function<C.mailru_error_number>.Call(error);
                IsTransient = Native.Function<C.mailru_error_transient>.Call(error) == 1;
                string text = Native.Taken(Native.Function<C.mailru_error_message>.Call(error, out int status));
                Text = status == 0 ? text : Json;
                try
                {
                    Members = (Mailru.Json.Parse(Json) as JObject)?["error"] as JObject;
                }
                catch (JsonException)
                {
                    // Then nothing more is known.
                }
                Members = Number < 0 && Members != null ? Members : new JObject();
            }
        }

        /// <summary>The error of a code, in the code's class.</summary>
        internal static MailruException Of(int code, string json)
        {
            var known = new Known(code, json);
            switch (code)
            {
                case 1: return new InvalidArgumentException(known);
                case 2: return new InvalidHandleException(known);
                case 3: return new SignatureUndefinedException(known);
                case 4: return new SignatureMismatchException(known);
                case 5: return new ReenteredException(known);
                case 10: return new ApiException(known);
                case 11: return new OAuthException(known);
                case 12:
                case 13:
                case 14: return new ResponseException(known);
                case 15: return new HttpException(known);
                case 20: return new NetworkException(known);
                case 21: return new CallTimeoutException(known);
                case 22: return new TlsException(known);
                case 23: return new CallCancelledException(known);
                case 24: return new LargeMemoryException(known);
                case 30: return new QueueFullException(known);
                default: return new MailruException(known);
            }
        }

        /// <summary>An error that is noticed before C is called, in the library's shape.</summary>
        internal static MailruException Local(int code, string text, string argument = null)
        {
            var error = new JObject(new JProperty("error_code", -code), new JProperty("error_msg", text));
            if (argument != null)
            {
                error["argument"] = argument;
            }
            error["transient"] = false;
            return Of(code, new JObject(new JProperty("error", error)).ToString(Formatting.None));
        }

        /// <summary>An argument that the library would not take as it is.</summary>
        internal static MailruException Argument(string name, string text)
        {
            return Local(1, name + " " + text, name);
        }
    }

    /// <summary>The caller's own mistake.</summary>
    public class UsageException : MailruException
    {
        internal UsageException(Known known) : base(known) { }
    }

    public sealed class InvalidArgumentException : UsageException
    {
        internal InvalidArgumentException(Known known) : base(known) { }
    }

    /// <summary>The session, cancel handle or queue was disposed of.</summary>
    public sealed class InvalidHandleException : UsageException
    {
        internal InvalidHandleException(Known known) : base(known) { }
    }

    public sealed class SignatureUndefinedException : UsageException
    {
        internal SignatureUndefinedException(Known known) : base(known) { }
    }

    /// <summary>A call of the session inside its own listener would wait for itself.</summary>
    public sealed class ReenteredException : UsageException
    {
        internal ReenteredException(Known known) : base(known) { }
    }

    /// <summary>What was to be verified is not the platform's.</summary>
    public sealed class SignatureMismatchException : MailruException
    {
        internal SignatureMismatchException(Known known) : base(known) { }
    }

    /// <summary>The platform answered with an error.</summary>
    public sealed class ApiException : MailruException
    {
        internal ApiException(Known known) : base(known) { }
    }

    /// <summary>The authorization server refused.</summary>
    public sealed class OAuthException : MailruException
    {
        internal OAuthException(Known known) : base(known) { }
    }

    /// <summary>An answer is empty, malformed or too large.</summary>
    public class ResponseException : MailruException
    {
        internal ResponseException(Known known) : base(known) { }
    }

    public sealed class HttpException : ResponseException
    {
        internal HttpException(Known known) : base(known) { }
    }

    public class NetworkException : MailruException
    {
        internal NetworkException(Known known) : base(known) { }
    }

    public sealed class CallTimeoutException : NetworkException
    {
        internal CallTimeoutException(Known known) : base(known) { }
    }

    public sealed class TlsException : NetworkException
    {
        internal TlsException(Known known) : base(known) { }
    }

    /// <summary>The call was ended by its cancel handle or its session. A CancellationToken's own word is
    /// OperationCanceledException.</summary>
    public sealed class CallCancelledException : MailruException
    {
        internal CallCancelledException(Known known) : base(known) { }
    }

    public sealed class LargeMemoryException : MailruException
    {
        internal LargeMemoryException(Known known) : base(known) { }
    }

    public sealed class QueueFullException : MailruException
    {
        internal QueueFullException(Known known) : base(known) { }
    }
}
