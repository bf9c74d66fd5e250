// A real OpenID provider for the tests: people (any login, any password) and one machine. Ends with its stdin.
//
//   node provider.mjs REDIRECT_URI     prints {"issuer": "http://127.0.0.1:PORT"} once it answers
//
// PUT /groups/anna/nurses/night     from here on anna is in these groups

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const AUDIENCE = "urn:stadsnav:api";

const key = (type, options) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), use: "sig" });

const groups = new Map();

const account = (login) => {
  const name = login[0].toUpperCase() + login.slice(1);
  const claims = { sub: login, name, preferred_username: login, groups: groups.get(login) ?? [] };
  return { accountId: login, claims: () => claims };
};

const configuration = {
  clients: [
    {
      client_id: "hub",
      client_secret: "hub-secret",
      grant_types: ["authorization_code"],
      redirect_uris: [process.argv[2]],
    },
    {
      client_id: "acme-backend",
      client_secret: "acme-secret",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"] },
  conformIdTokenClaims: false,
  cookies: { keys: [randomBytes(32).toString("hex")] },
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client) => (client.clientId === "hub" ? undefined : AUDIENCE),
      getResourceServerInfo: () => ({ scope: "", audience: AUDIENCE, accessTokenFormat: "jwt" }),
    },
  },
  findAccount: (_, login) => account(login),
  jwks: { keys: [{ ...key("rsa", { modulusLength: 2048 }), alg: "RS256" }, { ...key("ec", { namedCurve: "P-256" }), alg: "ES256" }] },
  pkce: { required: () => true },
};

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const answer = new Provider(issuer, configuration).callback();
  server.on("request", (request, response) => {
    if (request.method !== "PUT") return answer(request, response);
    const [login, ...named] = request.url.split("/").slice(2);
    groups.set(login, named);
    response.end();
  });
  console.log(JSON.stringify({ issuer }));
});
process.stdin.on("end", () => process.exit(0)).resume();
