// A session on the TypeScript SDK, in Node and in a browser. `sdk` is the SDK, with `options` for its Client and `finish`,
// which picks out of a callback what this version wants; `follow` goes from the authorization URL to the callback.
export function session(sdk, url, redirectUrl, follow) {
  const provider = new Provider(redirectUrl, follow);
  let connection;

  // Does it, signing in where the client says that it must.
  async function authorized(transport, act) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof sdk.UnauthorizedError)) throw error;
      await transport.finishAuth(sdk.finish(provider.callback));
      return undefined;
    }
  }

  async function connect() {
    const transport = new sdk.StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
    const client = new sdk.Client({ name: "clients-test", version: "1" }, sdk.options);
    const connected = await authorized(transport, () => client.connect(transport).then(() => true));
    return connected && { client, transport };
  }

  return async function call(tool) {
    for (let tries = 0; tries < 4; tries++) {
      connection ??= await connect();
      if (!connection) continue;
      const { client, transport } = connection;
      const result = await authorized(transport, () => client.callTool({ name: tool, arguments: {} }));
      if (result) return result.content[0].text;
    }
    throw new Error("signed in, and still unauthorized");
  };
}

class Provider {
  memory = {};

  constructor(redirectUrl, follow) {
    this.redirectUrl = redirectUrl;
    this.follow = follow;
    this.clientMetadata = {
      client_name: "A client on the TypeScript SDK",
      redirect_uris: [redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }

  state = () => (this.memory.state = crypto.randomUUID());
  clientInformation = () => this.memory.client;
  saveClientInformation = (client) => void (this.memory.client = client);
  tokens = () => this.memory.tokens;
  saveTokens = (tokens) => void (this.memory.tokens = tokens);
  saveCodeVerifier = (verifier) => void (this.memory.verifier = verifier);
  codeVerifier = () => this.memory.verifier;

  invalidateCredentials(what) {
    if (what === "all") this.memory = {};
    if (what === "tokens") delete this.memory.tokens;
  }

  async redirectToAuthorization(url) {
    this.callback = new URL(await this.follow(String(url), this.redirectUrl)).searchParams;
    if (this.callback.get("state") !== this.memory.state) throw new Error("the state did not come back");
  }
}
