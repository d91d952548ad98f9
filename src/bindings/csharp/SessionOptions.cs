using System;
using System.Collections.Generic;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Mailru
{
    /// <summary>A session's options; what is null is the library's default, see the header.</summary>
    public sealed class SessionOptions
    {
        /// <summary>The limit of a whole call.</summary>
        public TimeSpan? Timeout { get; set; }
        public TimeSpan? ConnectTimeout { get; set; }
        public int? Retries { get; set; }
        public TimeSpan? RetryDelay { get; set; }
        public bool? PassError { get; set; }
        public bool? AutoRefresh { get; set; }
        public string ClientSecret { get; set; }
        /// <summary>Processes share tokens in this file.</summary>
        public string TokenFile { get; set; }
        public string UserAgent { get; set; }
        public string Proxy { get; set; }
        public string CaFile { get; set; }
        public int? MaxCallsPerSecond { get; set; }
        /// <summary>Others, by the library's names.</summary>
        public IDictionary<string, object> Others { get; } = new Dictionary<string, object>();

        /// <summary>Options by the library's names, as JSON.</summary>
        public static SessionOptions FromJson(string json)
        {
            var options = new SessionOptions();
            foreach (JProperty option in ((JObject)Json.Parse(json)).Properties())
            {
                options.Others[option.Name] = option.Value;
            }
            return options;
        }

        internal static byte[] ToJson(SessionOptions options)
        {
            if (options == null)
            {
                return null;
            }
            var members = new JObject();
            AddTime(members, "timeout", options.Timeout);
            AddTime(members, "connect_timeout", options.ConnectTimeout);
            AddTime(members, "retry_delay", options.RetryDelay);
            Add(members, "retries", options.Retries);
            Add(members, "pass_error", options.PassError);
            Add(members, "auto_refresh", options.AutoRefresh);
            Add(members, "client_secret", options.ClientSecret);
            Add(members, "token_file", options.TokenFile);
            Add(members, "user_agent", options.UserAgent);
            Add(members, "proxy", options.Proxy);
            Add(members, "ca_file", options.CaFile);
            Add(members, "max_calls_per_second", options.MaxCallsPerSecond);
            foreach (KeyValuePair<string, object> other in options.Others)
            {
                Add(members, other.Key, other.Value);
            }
            return Native.Utf8("options_json", members.ToString(Formatting.None));
        }

        private static void Add(JObject members, string name, object value)
        {
            if (value != null)
            {
                members[name] = JToken.FromObject(value);
            }
        }

        private static void AddTime(JObject members, string name, TimeSpan? value)
        {
            if (value != null)
            {
                members[name + "_ms"] = Json.Milliseconds(name, value.Value);
            }
        }
    }
}
