// The same for import: one module, one library, whichever way it is loaded.
import mailru from "./index.js";

export const {
  Cancel, MailruError, Queue, Session, Tokens, abiVersion, authorizeUrl, codeName, errors, methods, parseRedirect,
  setLog, verify, verifyLaunch, verifyQuery, version,
} = mailru;
export default mailru;
