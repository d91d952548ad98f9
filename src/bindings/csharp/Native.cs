using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;

namespace Mailru
{
    /// <summary>Finds the library and calls its functions.</summary>
    internal static class Native
    {
        private const int AbiVersion = 0;
        private const int Now = 2;

        private static readonly Encoding Strict = new UTF8Encoding(false, true);
        private static readonly object Lock = new object();
        private static IntPtr library;

        /// <summary>A function of the library's by its delegate's type, which has its name.</summary>
        internal static class Function<T> where T : class
        {
            internal static T Call
            {
                get { return loaded ?? (loaded = Load<T>()); }
            }

            private static T loaded;
        }

        [DllImport("kernel32", CharSet = CharSet.Unicode, SetLastError = true)]
        private static extern IntPtr LoadLibraryW(string path);
        [DllImport("kernel32", CharSet = CharSet.Ansi, ExactSpelling = true)]
        private static extern IntPtr GetProcAddress(IntPtr module, string name);
        [DllImport("libdl.so.2", EntryPoint = "dlopen")]
        private static extern IntPtr LinuxOpen(string path, int mode);
        [DllImport("libdl.so.2", EntryPoint = "dlsym")]
        private static extern IntPtr LinuxSymbol(IntPtr module, string name);
        [DllImport("libdl.so.2", EntryPoint = "dlerror")]
        private static extern IntPtr LinuxError();
        [DllImport("/usr/lib/libSystem.dylib", EntryPoint = "dlopen")]
        private static extern IntPtr MacOpen(string path, int mode);
        [DllImport("/usr/lib/libSystem.dylib", EntryPoint = "dlsym")]
        private static extern IntPtr MacSymbol(IntPtr module, string name);

        [DllImport("libc", EntryPoint = "pthread_sigmask")]
        private static extern int SignalMask(int how, byte[] signals, IntPtr former);

        private static readonly bool IsMono = Type.GetType("Mono.Runtime") != null;
        [ThreadStatic]
        private static bool heard;

        /// <summary>Called first in each callback. Mono stops a thread that has run managed code by a signal, and would wait
        /// for ever: the library's threads block all signals.</summary>
        internal static void LetRuntimeStopThisThread()
        {
            if (heard || !IsMono || IsWindows)
            {
                return;
            }
            heard = true;
            // Larger than any system's sigset_t, with all signals in it.
            var all = new byte[128];
            for (int at = 0; at < all.Length; at++)
            {
                all[at] = 0xff;
            }
            const int UnblockOnLinux = 1, UnblockOnMac = 2;
            SignalMask(IsMac ? UnblockOnMac : UnblockOnLinux, all, IntPtr.Zero);
        }

        private static bool IsWindows
        {
            get { return Path.DirectorySeparatorChar == '\\'; }
        }

        private static bool IsMac
        {
            get { return !IsWindows && File.Exists("/usr/lib/dyld"); }
        }

        /// <summary>MAILRU_LIBRARY alone if that is set, else beside the wrapper, in the package's folder or a copy of it, then
        /// by the system's loader.</summary>
        private static IEnumerable<string> Candidates()
        {
            string named = Environment.GetEnvironmentVariable("MAILRU_LIBRARY");
            if (!string.IsNullOrEmpty(named))
            {
                yield return named;
                yield break;
            }
            string file = IsWindows ? "mailru.dll" : IsMac ? "libmailru.dylib" : "libmailru.so." + AbiVersion;
            string wrapper = typeof(Native).Assembly.Location;
            if (!string.IsNullOrEmpty(wrapper))
            {
                string folder = Path.GetDirectoryName(wrapper);
                yield return Path.Combine(folder, file);
                // Those of other processors do not load.
                string system = IsWindows ? "win-*" : IsMac ? "osx-*" : "linux-*";
                foreach (string package in new[] { folder, Path.Combine(folder, "..", "..") })
                {
                    string runtimes = Path.Combine(package, "runtimes");
                    string[] found = Directory.Exists(runtimes) ? Directory.GetDirectories(runtimes, system) : new string[0];
                    foreach (string runtime in found)
                    {
                        yield return Path.Combine(runtime, "native", file);
                    }
                }
            }
            yield return file;
        }

        private static IntPtr Open(string path, out string problem)
        {
            IntPtr opened = IsWindows ? LoadLibraryW(path) : IsMac ? MacOpen(path, Now) : LinuxOpen(path, Now);
            problem = "it cannot be loaded";
            if (opened == IntPtr.Zero && IsWindows)
            {
                problem = "error " + Marshal.GetLastWin32Error();
            }
            else if (opened == IntPtr.Zero && !IsMac)
            {
                problem = Marshal.PtrToStringAnsi(LinuxError());
            }
            return opened;
        }

        private static T Load<T>() where T : class
        {
            lock (Lock)
            {
                if (library == IntPtr.Zero)
                {
                    library = Find();
                }
            }
            return Delegate<T>(library);
        }

        private static T Delegate<T>(IntPtr module) where T : class
        {
            string name = typeof(T).Name;
            IntPtr address = IsWindows ? GetProcAddress(module, name)
                : IsMac ? MacSymbol(module, name) : LinuxSymbol(module, name);
            if (address == IntPtr.Zero)
            {
                throw new EntryPointNotFoundException("libmailru has no function " + name);
            }
            return (T)(object)Marshal.GetDelegateForFunctionPointer(address, typeof(T));
        }

        private static IntPtr Find()
        {
            var tried = new StringBuilder();
            foreach (string path in Candidates())
            {
                IntPtr module = Open(path, out string problem);
                if (module != IntPtr.Zero)
                {
                    if (Delegate<C.mailru_abi_version>(module)() == AbiVersion)
                    {
                        return module;
                    }
                    problem = "its binary interface is another";
                }
                tried.Append("\n  " + path + ": " + problem);
            }
            throw new DllNotFoundException(
                "libmailru cannot be loaded; set MAILRU_LIBRARY to the path of its file. Tried:" + tried);
        }

        /// <summary>A text of ours for C.</summary>
        internal static byte[] Utf8(string text)
        {
            return text == null ? null : Encoding.UTF8.GetBytes(text + '\0');
        }

        /// <summary>A text of the program's for C, which ends at a NUL.</summary>
        internal static byte[] Utf8(string name, string text)
        {
            if (text == null)
            {
                return null;
            }
            if (text.IndexOf('\0') >= 0)
            {
                throw MailruException.Argument(name, "holds a NUL character");
            }
            try
            {
                return Strict.GetBytes(text + '\0');
            }
            catch (EncoderFallbackException)
            {
                throw MailruException.Argument(name, "holds half of a character");
            }
        }

        internal static string Text(IntPtr pointer)
        {
            int length = 0;
            while (Marshal.ReadByte(pointer, length) != 0)
            {
                length++;
            }
            var bytes = new byte[length];
            Marshal.Copy(pointer, bytes, 0, length);
            return Encoding.UTF8.GetString(bytes);
        }

        /// <summary>Takes over a string of the library's.</summary>
        internal static string Taken(IntPtr text)
        {
            if (text == IntPtr.Zero)
            {
                return null;
            }
            try
            {
                return Text(text);
            }
            finally
            {
                Function<C.mailru_string_free>.Call(text);
            }
        }

        /// <summary>What a function answered that gives JSON and a code.</summary>
        internal static string Answer(IntPtr answer, int code)
        {
            string json = Taken(answer);
            return code == 0 ? json : throw MailruException.Of(code, json);
        }

        /// <summary>What a function answered that gives an error object beside a handle or a code.</summary>
        internal static T Made<T>(T outcome, IntPtr error)
        {
            string json = Taken(error);
            if (json == null)
            {
                return outcome;
            }
            throw MailruException.Of(-(int)Function<C.mailru_error_number>.Call(Utf8(json)), json);
        }

        /// <summary>Throws what a function answered that gives a code alone.</summary>
        internal static void Done(int code, string what)
        {
            if (code != 0)
            {
                throw MailruException.Local(code, what + ": " + CodeName(code));
            }
        }

        internal static string CodeName(int code)
        {
            return Text(Function<C.mailru_code_name>.Call(code));
        }
    }

    /// <summary>A number of the library's, freed once: by Dispose, or when nobody refers to it any more.</summary>
    internal sealed class NumberHandle : SafeHandle
    {
        private readonly Action<ulong> free;

        internal NumberHandle(ulong number, Action<ulong> free) : base(IntPtr.Zero, true)
        {
            Number = number;
            this.free = free;
            // Not the number itself, which a pointer of 32 bits would cut.
            SetHandle(new IntPtr(1));
        }

        internal ulong Number { get; }

        public override bool IsInvalid
        {
            get { return handle == IntPtr.Zero; }
        }

        protected override bool ReleaseHandle()
        {
            free(Number);
            return true;
        }
    }
}
