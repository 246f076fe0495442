/**
 * @typedef {object} Waiter
 * @property {string} owner  the frame that asked
 * @property {(answer: CheckAnswer) => void} resolve
 *
 * @typedef {object} Task
 * @property {number} rank
 * @property {boolean} running
 * @property {Waiter[]} waiters
 * @property {(priority: Priority) => Promise<CheckAnswer>} work
 */

/** @type {Priority[]} */
const RANKS = ["user", "visible", "background"];

/** A few at a time, the person's own question first, then what is visible; each key once, however many ask. */
export class CheckQueue {
	/** @type {Map<string, Task>} */
	#tasks = new Map();
	#running = 0;

	/** @param {number} limit */
	constructor(limit) {
		this.limit = limit;
	}

	/**
	 * @param {string} key
	 * @param {Priority} priority
	 * @param {string} owner
	 * @param {(priority: Priority) => Promise<CheckAnswer>} work  never rejects
	 * @returns {Promise<CheckAnswer>}
	 */
	ask(key, priority, owner, work) {
		const rank = RANKS.indexOf(priority);
		const task = this.#tasks.get(key) ?? { rank, running: false, waiters: [], work };
		task.rank = Math.min(task.rank, rank);
		this.#tasks.set(key, task);
		return new Promise((resolve) => {
			task.waiters.push({ owner, resolve });
			this.#pump();
		});
	}

	/** A frame is gone: what only it waited for is not worth starting. @param {string} owner  or its beginning */
	drop(owner) {
		for (const [key, task] of this.#tasks) {
			const gone = task.waiters.filter((waiter) => waiter.owner.startsWith(owner));
			task.waiters = task.waiters.filter((waiter) => !gone.includes(waiter));
			for (const { resolve } of gone) {
				resolve({ status: "dropped" });
			}

			if (task.waiters.length === 0 && !task.running) {
				this.#tasks.delete(key);
			}
		}
	}

	#pump() {
		while (this.#running < this.limit) {
			const waiting = [...this.#tasks].filter(([, task]) => !task.running);
			if (waiting.length === 0) {
				return;
			}

			const [key, task] = waiting.reduce((best, one) => (one[1].rank < best[1].rank ? one : best));
			this.#run(key, task);
		}
	}

	/**
	 * @param {string} key
	 * @param {Task} task
	 */
	async #run(key, task) {
		task.running = true;
		this.#running += 1;
		const answer = await task.work(RANKS[task.rank]);
		this.#running -= 1;
		this.#tasks.delete(key);
		for (const { resolve } of task.waiters) {
			resolve(answer);
		}

		this.#pump();
	}
}
