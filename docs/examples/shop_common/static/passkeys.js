// Passkeys in forms. A form with data-passkey="create" or "get" holds what the shop asks in data-options; what the
// browser answers goes into its field "response", and the form is sent. Bytes travel as base64url in JSON.

const bytesOf = (text) => {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
};

const textOf = (bytes) => {
  const plain = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

const withBytes = (keys = []) => keys.map((key) => ({ ...key, id: bytesOf(key.id) }));

// What the shop asks, as the browser wants it.
const asked = {
  create: (options) => ({
    ...options,
    challenge: bytesOf(options.challenge),
    user: { ...options.user, id: bytesOf(options.user.id) },
    excludeCredentials: withBytes(options.excludeCredentials),
  }),
  get: (options) => ({
    ...options,
    challenge: bytesOf(options.challenge),
    allowCredentials: withBytes(options.allowCredentials),
  }),
};

// What the browser answers, as the shop wants it.
const answered = {
  create: (response) => ({
    attestationObject: textOf(response.attestationObject),
    transports: response.getTransports?.() ?? [],
  }),
  get: (response) => ({
    authenticatorData: textOf(response.authenticatorData),
    signature: textOf(response.signature),
    userHandle: response.userHandle && textOf(response.userHandle),
  }),
};

let waiting = null; // the question beside the field for the address; a browser takes one question at a time

async function send(form, more = {}) {
  waiting?.abort();
  waiting = new AbortController();
  const kind = form.dataset.passkey;
  const publicKey = asked[kind](JSON.parse(form.dataset.options));
  const made = await navigator.credentials[kind]({ publicKey, signal: waiting.signal, ...more });
  form.elements.response.value = JSON.stringify({
    id: made.id,
    rawId: textOf(made.rawId),
    type: made.type,
    clientExtensionResults: made.getClientExtensionResults(),
    response: { clientDataJSON: textOf(made.response.clientDataJSON), ...answered[kind](made.response) },
  });
  form.submit();
}

function say(form, problem) {
  if (problem.name !== "AbortError") {
    form.querySelector("[role=status]").textContent = "Your browser used no passkey. You can try again.";
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form).catch((problem) => say(form, problem));
    });
  }
  // Passkeys among the suggestions of the field for the address, where the browser can do that.
  const suggested = document.querySelector("form[data-passkey=get][data-suggested]");
  if (suggested && (await PublicKeyCredential.isConditionalMediationAvailable?.())) {
    send(suggested, { mediation: "conditional" }).catch(() => {});
  }
}
