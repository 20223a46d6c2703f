export { CulvertSocket } from "./socket.js";
export type { CulvertOptions, NativeOptions, TransportName } from "./options.js";
export type { Environment } from "./environment.js";
export type { Matcher } from "./install.js";
