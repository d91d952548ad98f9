using System;
using System.IO;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Mailru
{
    /// <summary>JSON and times.</summary>
    internal static class Json
    {
        /// <summary>An answer: texts that look like dates stay texts, and integers keep every digit.</summary>
        internal static JToken Parse(string json)
        {
            using (var reader = new JsonTextReader(new StringReader(json)))
            {
                reader.DateParseHandling = DateParseHandling.None;
                reader.MaxDepth = null;
                JToken token = JToken.ReadFrom(reader);
                return reader.Read() ? throw new JsonReaderException("there is more after the value") : token;
            }
        }

        /// <summary>Parameters as JSON: an object of any type that has members, or JSON that was made already.</summary>
        internal static string Object(string name, object value)
        {
            if (value == null)
            {
                return null;
            }
            try
            {
                if (value is string text)
                {
                    return text.Trim().Length == 0 ? null
                        : Parse(text) is JObject ? text : throw MailruException.Argument(name, "is not a JSON object");
                }
                string made = JsonConvert.SerializeObject(value);
                return made.StartsWith("{") ? made
                    : throw MailruException.Argument(name, "is a " + value.GetType() + ", which has no members");
            }
            catch (JsonException error)
            {
                throw MailruException.Argument(name, "cannot be written as JSON: " + error.Message);
            }
        }

        /// <summary>Whole milliseconds, upwards: a limit is never rounded to none.</summary>
        internal static long Milliseconds(string name, TimeSpan limit)
        {
            long ms = limit.Ticks / TimeSpan.TicksPerMillisecond + (limit.Ticks % TimeSpan.TicksPerMillisecond > 0 ? 1 : 0);
            return ms > 0 && ms < 1L << 53 ? ms : throw MailruException.Argument(name, "is " + limit + ", not a positive time");
        }

        /// <summary>A member's text, or null.</summary>
        internal static string Text(JObject members, string name)
        {
            return members[name] is JValue value && value.Value != null ? value.ToString() : null;
        }
    }
}
