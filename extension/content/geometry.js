/**
 * @typedef {{x: number, y: number, width: number, height: number}} Box  CSS px
 */

/**
 * Whether a person can see the picture. Some sites draw it as a background and lay the transparent <img> over it: that
 * one counts as seen.
 * @param {HTMLImageElement} picture
 */
const isSeen = (picture) => {
	if (!picture.isConnected || !picture.checkVisibility({ checkVisibilityCSS: true })) {
		return false;
	}

	if (picture.checkVisibility({ checkOpacity: true })) {
		return true;
	}

	const around = [picture.parentElement, ...(picture.parentElement?.children ?? [])];
	return around.some((element) =>
		element instanceof HTMLElement
		&& element.style.backgroundImage.includes(picture.currentSrc)
		&& element.checkVisibility({ checkOpacity: true }));
};

/**
 * Whether something that floats over the page (a sticky header, a dialog) or a twin of the picture lies over a point.
 * @param {HTMLImageElement} picture
 * @param {number} x
 * @param {number} y
 * @param {Element} own  our host element: not in the way
 */
const isCovered = (picture, x, y, own) => {
	const root = picture.getRootNode();
	const stack = (root instanceof ShadowRoot ? root : document).elementsFromPoint(x, y);
	const top = stack.find((element) => element !== own);
	if (!top || top === picture) {
		return false;
	}

	if (top instanceof HTMLImageElement && top.currentSrc === picture.currentSrc) {
		return true;
	}

	/** @type {Element | null} */
	let element = top;
	for (; element && !element.contains(picture); element = element.parentElement) {
		if (/^(fixed|sticky)$/.test(getComputedStyle(element).position)) {
			return true;
		}
	}

	return false;
};

/**
 * Where the element's content box lies, and where the whole picture is painted in it: object-fit may scale and crop.
 * @param {HTMLImageElement} picture
 * @returns {{content: Box, painted: Box}} in the viewport; `painted` may be larger than `content`
 */
const paintedBox = (picture) => {
	const style = getComputedStyle(picture);
	const outer = picture.getBoundingClientRect();
	const px = (/** @type {string} */ value) => parseFloat(value) || 0;
	// The element may be scaled by a transform: insets scale with it.
	const scale = picture.offsetWidth ? outer.width / picture.offsetWidth : 1;
	const left = (px(style.borderLeftWidth) + px(style.paddingLeft)) * scale;
	const top = (px(style.borderTopWidth) + px(style.paddingTop)) * scale;
	const width = outer.width - left - (px(style.borderRightWidth) + px(style.paddingRight)) * scale;
	const height = outer.height - top - (px(style.borderBottomWidth) + px(style.paddingBottom)) * scale;
	const content = { x: outer.x + left, y: outer.y + top, width, height };

	const [naturalWidth, naturalHeight] = [picture.naturalWidth || width, picture.naturalHeight || height];
	const [fitX, fitY] = [width / naturalWidth, height / naturalHeight];
	const contain = Math.min(fitX, fitY);
	const zoom = {
		contain,
		cover: Math.max(fitX, fitY),
		none: scale,
		"scale-down": Math.min(scale, contain),
	}[style.objectFit];
	const size = zoom
		? { width: naturalWidth * zoom, height: naturalHeight * zoom }
		: { width, height };
	const place = (/** @type {string} */ position, /** @type {number} */ free) =>
		position.endsWith("%") ? free * px(position) / 100 : px(position) * scale;
	const [positionX = "50%", positionY = "50%"] = style.objectPosition.split(" ");
	const painted = {
		x: content.x + place(positionX, width - size.width),
		y: content.y + place(positionY, height - size.height),
		...size,
	};
	return { content, painted };
};
