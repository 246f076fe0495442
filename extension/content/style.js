const STYLE = `
:host {
	all: initial !important;
	position: absolute !important;
	top: 0 !important;
	left: 0 !important;
	width: 0 !important;
	height: 0 !important;
	z-index: 2147483647 !important;
	pointer-events: none !important;
}

* { box-sizing: border-box; }
[hidden] { display: none !important; }

.badge, .card, .panel {
	position: absolute;
	font: 500 13px/1.4 system-ui, sans-serif;
	color: #1b1b1f;
	text-align: start;
	pointer-events: auto;
	-webkit-font-smoothing: antialiased;
}

.badge {
	display: flex;
	align-items: center;
	gap: 6px;
	margin: 0;
	padding: 3px 10px 3px 7px;
	border: 1.5px solid #fff;
	border-radius: 999px;
	background: #b3121d;
	color: #fff;
	font-weight: 650;
	font-size: 12.5px;
	white-space: nowrap;
	cursor: pointer;
	box-shadow: 0 1px 6px rgb(0 0 0 / 45%);
	transition: background .12s;
}
.badge:dir(rtl) { padding: 3px 7px 3px 10px; }
.badge svg { width: 13px; height: 13px; flex: none; fill: currentColor; }
.badge:hover, .badge[aria-expanded="true"] { background: #8f0d16; }
.badge.unsure { background: #ffb81f; border-color: #402c00; color: #261a00; }
.badge.unsure:hover, .badge.unsure[aria-expanded="true"] { background: #ffa600; }
.badge.none { padding: 0; }
.declared {
	margin: -3px -10px -3px 2px;
	padding: 3px 10px;
	border-radius: 999px;
	background: #0b5c73;
	color: #fff;
}
.declared:first-child { margin: 0; }
.badge:dir(rtl) .declared:not(:first-child) { margin: -3px 2px -3px -10px; }
.badge:focus-visible, .panel button:focus-visible { outline: 3px solid #1a73e8; outline-offset: 2px; }

.heat { position: absolute; overflow: hidden; pointer-events: none; background: rgb(8 8 20 / 38%); animation: appear .18s; }
.heat canvas { position: absolute; display: block; }

.card, .panel {
	width: max-content;
	max-width: 300px;
	padding: 11px 14px 10px;
	border-radius: 12px;
	background: #fff;
	border: 1px solid rgb(0 0 0 / 12%);
	box-shadow: 0 6px 24px rgb(0 0 0 / 30%);
	animation: appear .12s;
}
.card { pointer-events: none; }
.panel { padding-inline-end: 38px; min-width: 200px; }
.head { font-weight: 680; font-size: 14px; }
.suspected .head { color: #b3121d; }
.unsure .head { color: #8a5300; }
.reason { margin-top: 3px; font-weight: 400; }
.meter { height: 5px; margin: 7px 0; border-radius: 3px; background: #e4e4ea; overflow: hidden; }
.meter i { display: block; height: 100%; background: #b3121d; }
.unsure .meter i { background: #ffb81f; }
.none .meter i { background: #85858f; }
.says { margin-top: 9px; padding-top: 8px; border-top: 1px solid rgb(127 127 127 / 28%); font-weight: 400; }
.says.silent { font-size: 12px; color: #5c5c66; }
.says .title { font-size: 11.5px; color: #5c5c66; }
.says ul { margin: 2px 0 0; padding: 0; list-style: none; }
.says li + li { margin-top: 6px; }
.says .declares .headline { font-weight: 650; color: #0b5c73; }
.says .more { font-size: 12px; overflow-wrap: anywhere; }
.card .more {
	display: -webkit-box;
	overflow: hidden;
	-webkit-box-orient: vertical;
	-webkit-line-clamp: 3;
}
.panel .says { max-height: 260px; overflow-y: auto; }
.foot { margin-top: 6px; font-size: 11.5px; font-weight: 400; color: #5c5c66; }
.close {
	position: absolute;
	inset-block-start: 7px;
	inset-inline-end: 7px;
	width: 24px;
	height: 24px;
	padding: 0;
	border: 0;
	border-radius: 50%;
	background: none;
	color: inherit;
	font: 400 17px/1 system-ui, sans-serif;
	cursor: pointer;
}
.close:hover { background: rgb(127 127 127 / 22%); }

@keyframes appear { from { opacity: 0; } }

@media (prefers-color-scheme: dark) {
	.card, .panel { background: #24242a; color: #f1f1f4; border-color: rgb(255 255 255 / 18%); }
	.suspected .head { color: #ff8a8f; }
	.unsure .head { color: #ffc95c; }
	.meter { background: #45454f; }
	.suspected .meter i { background: #ff5a63; }
	.foot, .says.silent, .says .title { color: #b4b4bf; }
	.says .declares .headline { color: #6fd3ee; }
}

@media (prefers-reduced-motion: reduce) {
	* { animation: none !important; transition: none !important; }
}
`;
