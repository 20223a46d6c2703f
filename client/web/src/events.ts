/* Events as the platform has them, or nearly: CloseEvent is missing in older node; and on* attributes. */

class OwnCloseEvent extends Event {
	readonly code: number;
	readonly reason: string;
	readonly wasClean: boolean;

	constructor(type: string, init: CloseEventInit = {}) {
		super(type, init);
		this.code = init.code || 0;
		this.reason = init.reason || "";
		this.wasClean = init.wasClean || false;
	}
}

export const CloseEventHere: typeof CloseEvent = typeof CloseEvent === "function" ? CloseEvent : (OwnCloseEvent as any);

type Handler = ((this: any, event: any) => any) | null;

/** Those of one object, by name. */
export type Handlers = Record<string, { value: Handler; listener: (event: Event) => void } | undefined>;

/**
 * Gives a prototype the event handler attributes of these names. As in the HTML standard, a handler has its place among the listeners
 * from the time when it was set first; what is no object counts as null. slots: where an object has its own.
 */
export function handlers(prototype: EventTarget, names: string[], slots: (target: any) => Handlers): void {
	for (const name of names) {
		Object.defineProperty(prototype, `on${name}`, {
			configurable: true,
			enumerable: true,
			get(this: EventTarget): Handler {
				const slot = slots(this)[name];
				return slot ? slot.value : null;
			},
			set(this: EventTarget, value: unknown) {
				const handler = (typeof value === "object" || typeof value === "function" ? value : null) as Handler;
				const slot = slots(this)[name];
				if (slot && handler) {
					slot.value = handler;
				} else if (slot) {
					this.removeEventListener(name, slot.listener);
					slots(this)[name] = undefined;
				} else if (handler) {
					const made = {
						value: handler,
						listener: (event: Event) => {
							if (typeof made.value === "function")
								made.value!.call(this, event);
						},
					};
					slots(this)[name] = made;
					this.addEventListener(name, made.listener);
				}
			},
		});
	}
}
