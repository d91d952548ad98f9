using System;
using System.Collections.Generic;

namespace Mailru
{
    /// <summary>Where a renewal is: before its request (take a lock, load, SetTokens), or over.</summary>
    public enum RenewalPhase
    {
        Before,
        After
    }

    /// <summary>What a listener threw, and which listener it was.</summary>
    public sealed class ListenerFailedEventArgs : EventArgs
    {
        public string Listener { get; internal set; }
        public Exception Exception { get; internal set; }
    }

    /// <summary>The listeners that the library may call, by the number that it was given for each.</summary>
    internal static class Listeners
    {
        /// <summary>A session, which holds its listeners itself: one that mentions its session does not keep it.</summary>
        private sealed class Registration
        {
            internal readonly WeakReference Session;
            /// <summary>Set when the session is disposed of: a grant that outlives it is told, too.</summary>
            internal Session Disposed;

            internal Registration(Session session)
            {
                Session = new WeakReference(session);
            }
        }

        private static readonly Dictionary<long, Registration> Registrations = new Dictionary<long, Registration>();
        private static long numbers;

        // Held here, since delegates that nobody holds are collected.
        internal static readonly C.Told Told = (number, tokens) =>
            Tell("token listener", () => Find(number)?.ToldTokens(Tokens.Parse(Native.Text(tokens))));
        internal static readonly C.Renewing Renewing = (number, phase) =>
            Tell("renewal listener", () => Find(number)?.ToldRenewal(phase == 1 ? RenewalPhase.Before : RenewalPhase.After));
        internal static readonly C.Logged Logged = (number, level, line) =>
            Tell("logger", () => Platform.Told(level, Native.Text(line)));
        internal static readonly C.Released Released = number =>
        {
            Native.LetRuntimeStopThisThread();
            lock (Registrations)
            {
                Registrations.Remove((long)number);
            }
        };

        internal static IntPtr Register(Session session)
        {
            lock (Registrations)
            {
                Registrations[++numbers] = new Registration(session);
                return new IntPtr(numbers);
            }
        }

        /// <summary>Before a session is freed: its listeners are kept until the library releases them.</summary>
        internal static void Disposing(Session session)
        {
            lock (Registrations)
            {
                foreach (Registration registration in Registrations.Values)
                {
                    if (registration.Session.Target == session)
                    {
                        registration.Disposed = session;
                    }
                }
            }
        }

        private static Session Find(IntPtr number)
        {
            lock (Registrations)
            {
                return Registrations.TryGetValue((long)number, out Registration found) ? (Session)found.Session.Target : null;
            }
        }

        /// <summary>Calls a listener. What it throws may not reach C, which would end the process.</summary>
        internal static void Tell(string what, Action listener)
        {
            Native.LetRuntimeStopThisThread();
            try
            {
                listener();
            }
            catch (Exception error)
            {
                try
                {
                    Platform.Report(new ListenerFailedEventArgs { Listener = what, Exception = error });
                }
                catch (Exception)
                {
                    // There is nobody left to tell.
                }
            }
        }
    }
}
