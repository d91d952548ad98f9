export * from "./index.js";
import * as mailru from "./index.js";
export default mailru;
