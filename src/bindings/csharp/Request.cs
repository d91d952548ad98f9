using System;
using System.IO;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Mailru
{
    /// <summary>
    /// What a session is to do, with limits of its own:
    /// <code>session.Call(new Request("friends.get", new { ext = 1 }) { Timeout = TimeSpan.FromSeconds(5) });</code>
    /// </summary>
    public sealed class Request
    {
        private readonly JObject members = new JObject();
        private readonly string parameters;
        private readonly string whole;

        /// <summary>The limit of this request; the session's by default.</summary>
        public TimeSpan? Timeout { get; set; }
        public int? Retries { get; set; }
        /// <summary>Hands over any JSON, also the platform's errors, as an answer.</summary>
        public bool? PassError { get; set; }
        /// <summary>What may end the request, besides a CancellationToken.</summary>
        public Cancel Cancel { get; set; }

        /// <summary>A method of the platform; parameters are an object with members, a dictionary, or JSON.</summary>
        public Request(string method, object parameters = null) : this("method", method, parameters)
        {
        }

        private Request(string kind, string name, object parameters)
        {
            members[kind] = Checked(kind, name);
            this.parameters = Json.Object("params_json", parameters);
        }

        private Request(string whole)
        {
            this.whole = Checked("request_json", whole);
        }

        /// <summary>A method with a file's bytes, in the form's field of this name.</summary>
        public static Request Upload(string method, byte[] data, string field, string name, object parameters = null,
            string type = null)
        {
            var request = new Request(method, parameters);
            var file = new JObject(new JProperty("field", Checked("field", field)),
                new JProperty("name", Checked("file_name", name)));
            if (type != null)
            {
                file["type"] = Checked("type", type);
            }
            request.members["file"] = file;
            request.Data = data ?? throw MailruException.Argument("data", "is null");
            return request;
        }

        public static Request Upload(string method, Stream file, string field, string name, object parameters = null,
            string type = null)
        {
            var bytes = new MemoryStream();
            file.CopyTo(bytes);
            return Upload(method, bytes.ToArray(), field, name, parameters, type);
        }

        /// <summary>A public page, such as "mail/nick".</summary>
        public static Request Page(string path, object parameters = null)
        {
            return new Request("public", path, parameters);
        }

        /// <summary>The tokens; calls get them by themselves.</summary>
        public static Request Authorize()
        {
            var request = new Request("method", "", null);
            request.members.RemoveAll();
            request.members["authorize"] = true;
            return request;
        }

        /// <summary>The library's JSON, as mailru_request takes it; its settings are in it.</summary>
        public static Request FromJson(string json, byte[] data = null)
        {
            return new Request(json) { Data = data };
        }

        internal byte[] Data { get; private set; }

        internal ulong CancelNumber
        {
            get { return Cancel == null ? 0 : Cancel.Number; }
        }

        internal byte[] ToJson()
        {
            if (whole != null)
            {
                return Native.Utf8("request_json", whole);
            }
            var all = new JObject(members);
            if (Timeout != null)
            {
                all["timeout_ms"] = Json.Milliseconds("timeout", Timeout.Value);
            }
            if (Retries != null)
            {
                all["retries"] = Retries;
            }
            if (PassError != null)
            {
                all["pass_error"] = PassError;
            }
            string json = all.ToString(Formatting.None);
            // As it was written, digit by digit; it is an object.
            return Native.Utf8("params_json", parameters == null ? json
                : json.Substring(0, json.Length - 1) + ",\"params\":" + parameters + "}");
        }

        private static string Checked(string name, string text)
        {
            Native.Utf8(name, text ?? throw MailruException.Argument(name, "is null"));
            return text;
        }
    }

    /// <summary>Ends the requests that were given it, and tells how much of them was sent.</summary>
    public sealed class Cancel : IDisposable
    {
        private readonly NumberHandle handle = new NumberHandle(Native.Function<C.mailru_cancel_new>.Call(),
            number => Native.Function<C.mailru_cancel_free>.Call(number));

        internal ulong Number
        {
            get { return handle.Number; }
        }

        /// <summary>Its requests end as cancelled, later ones at once.</summary>
        public void Fire()
        {
            Native.Done(Native.Function<C.mailru_cancel_fire>.Call(Number), "cancel");
            GC.KeepAlive(this);
        }

        /// <summary>How many bytes of the requests were sent, and how many there are to send.</summary>
        public void Progress(out long sent, out long total)
        {
            int code = Native.Function<C.mailru_cancel_progress>.Call(Number, out ulong done, out ulong all);
            GC.KeepAlive(this);
            Native.Done(code, "cancel");
            sent = (long)done;
            total = (long)all;
        }

        public void Dispose()
        {
            handle.Dispose();
        }
    }
}
