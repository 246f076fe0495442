/**
 * The daemon's event stream, by fetch: EventSource cannot send a token.
 * @param {Response} response
 * @returns {AsyncGenerator<string>} names of events
 */
export async function* eventNames(response) {
	if (!response.body) {
		return;
	}

	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) {
				return;
			}

			const lines = (rest + value).split(/\r?\n/);
			rest = lines.pop() ?? "";
			for (const line of lines) {
				if (line.startsWith("event:")) {
					yield line.slice("event:".length).trim();
				}
			}
		}
	} finally {
		reader.cancel().catch(() => {});
	}
}
