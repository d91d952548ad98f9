using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Threading;

namespace Mailru
{
    /// <summary>What became of a queue's submission: its tag, and its JSON or its error.</summary>
    public sealed class Completion<T>
    {
        internal Completion(T tag, string json, MailruException error)
        {
            Tag = tag;
            Json = json;
            Error = error;
        }

        public T Tag { get; }
        public string Json { get; }
        public MailruException Error { get; }

        /// <summary>The JSON, or the error thrown.</summary>
        public string Text
        {
            get { return Error == null ? Json : throw Error; }
        }
    }

    /// <summary>Calls that are submitted at once and taken as they complete, by as many threads as you like, with tags of any
    /// kind. Where a task for each is enough, use CallAsync.</summary>
    public sealed class CallQueue<T> : IDisposable
    {
        private const int QueueEmpty = 31;
        private const int SliceMs = 50;

        private readonly NumberHandle handle;
        private readonly ConcurrentDictionary<ulong, KeyValuePair<T, Session>> pending =
            new ConcurrentDictionary<ulong, KeyValuePair<T, Session>>();
        private long tags;

        /// <summary>So many calls may be in flight at once, and so many submissions not taken yet; 0 is the library's
        /// default.</summary>
        public CallQueue(uint workers = 0, uint capacity = 0)
        {
            ulong made = Native.Function<C.mailru_queue_new>.Call(workers, capacity, out IntPtr error);
            handle = new NumberHandle(Native.Made(made, error),
                number => Native.Function<C.mailru_queue_free>.Call(number));
        }

        /// <summary>A descriptor that is readable while a completion waits, for native event loops; -1 on
        /// Windows.</summary>
        public int Descriptor
        {
            get { return Native.Function<C.mailru_queue_fd>.Call(handle.Number); }
        }

        /// <summary>Hands over a call.</summary>
        public void Submit(Session session, string method, object parameters, T tag)
        {
            byte[] name = Native.Utf8("method", method);
            byte[] json = Native.Utf8("params_json", Json.Object("params_json", parameters));
            ulong own = Enter(session, tag);
            Accepted(own, Native.Function<C.mailru_queue_submit>.Call(handle.Number, session.Number, name, json, own,
                out IntPtr error), error);
        }

        /// <summary>Hands over any request.</summary>
        public void Submit(Session session, Request request, T tag)
        {
            byte[] json = request.ToJson();
            var size = (UIntPtr)(request.Data == null ? 0 : request.Data.Length);
            ulong own = Enter(session, tag);
            Accepted(own, Native.Function<C.mailru_queue_request>.Call(handle.Number, session.Number, json,
                request.Data, size, request.CancelNumber, own, out IntPtr error), error);
        }

        /// <summary>The next completion, or null if none came in time; without a time it waits.</summary>
        public Completion<T> Take(TimeSpan? wait = null)
        {
            DateTime end = wait == null ? DateTime.MaxValue : DateTime.UtcNow + wait.Value;
            while (true)
            {
                double left = (end - DateTime.UtcNow).TotalMilliseconds;
                int slice = (int)Math.Max(0, Math.Min(SliceMs, Math.Ceiling(left)));
                IntPtr answer = Native.Function<C.mailru_queue_next>.Call(handle.Number, slice, out ulong own, out int code);
                GC.KeepAlive(this);
                string json = Native.Taken(answer);
                if (code != QueueEmpty)
                {
                    if (!pending.TryRemove(own, out KeyValuePair<T, Session> entry))
                    {
                        throw MailruException.Of(code, json);
                    }
                    return code == 0 ? new Completion<T>(entry.Key, json, null)
                        : new Completion<T>(entry.Key, null, MailruException.Of(code, json));
                }
                if (left <= 0)
                {
                    return null;
                }
                // Where Thread.Interrupt takes effect.
                Thread.Sleep(0);
            }
        }

        /// <summary>Completes what bears this tag as cancelled.</summary>
        public void Cancel(T tag)
        {
            foreach (KeyValuePair<ulong, KeyValuePair<T, Session>> entry in pending)
            {
                if (EqualityComparer<T>.Default.Equals(entry.Value.Key, tag))
                {
                    Native.Done(Native.Function<C.mailru_queue_cancel>.Call(handle.Number, entry.Key), "queue");
                }
            }
        }

        /// <summary>Cancels what is pending; who waits is told that the queue is gone.</summary>
        public void Dispose()
        {
            handle.Dispose();
            pending.Clear();
        }

        private ulong Enter(Session session, T tag)
        {
            ulong own = (ulong)Interlocked.Increment(ref tags);
            pending[own] = new KeyValuePair<T, Session>(tag, session);
            return own;
        }

        private void Accepted(ulong own, int code, IntPtr error)
        {
            GC.KeepAlive(this);
            if (code != 0)
            {
                pending.TryRemove(own, out _);
            }
            Native.Made(code, error);
        }
    }
}
