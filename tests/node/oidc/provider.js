// An OpenID provider for tests: the package oidc-provider as it is, with a few clients and people.
// PORT, BACK (the address of the server that people come back to) and PEOPLE (JSON: sub -> claims) are in the environment.

import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const { PORT, BACK, PEOPLE, LEAN } = process.env;
const issuer = `http://127.0.0.1:${PORT}`;
const people = JSON.parse(PEOPLE);

const made = (kind, options, alg) => {
  const jwk = generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" });
  return { ...jwk, kid: `${alg}-${process.pid}`, use: "sig", alg };
};
const keys = [
  made("rsa", { modulusLength: 2048 }, "RS256"),
  made("ec", { namedCurve: "P-256" }, "ES256"),
  made("ed25519", {}, "Ed25519"),
  { ...made("ed25519", {}, "EdDSA") },
];

const client = (name, alg, more = {}) => ({
  client_id: name,
  client_secret: `${name} secret: 100% +/= of it, long enough for anything`,
  redirect_uris: [`${BACK}/api/signin/${name}/callback`],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  id_token_signed_response_alg: alg,
  ...more,
});

const provider = new Provider(issuer, {
  clients: [
    client("rs", "RS256"),
    client("es", "ES256"),
    client("ed", "EdDSA"),
    client("post", "RS256", { token_endpoint_auth_method: "client_secret_post" }),
    client("public", "RS256", { token_endpoint_auth_method: "none", client_secret: undefined }),
    client("hs", "HS256"),
  ],
  jwks: { keys },
  conformIdTokenClaims: Boolean(LEAN),
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username", "groups"] },
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA", "HS256"] },
  clientBasedCORS: () => false,
  pkce: { required: () => true },
  findAccount: (_context, sub) => (people[sub] ? { accountId: sub, claims: () => ({ sub, ...people[sub] }) } : undefined),
  // Whoever signs in there agrees to all that is asked.
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
  cookies: { keys: ["a key for tests"] },
  features: { devInteractions: { enabled: true } },
});

const server = provider.listen(Number(PORT), "127.0.0.1", () => console.log(`ready ${issuer}`));
process.on("SIGTERM", () => {
  server.closeAllConnections();
  server.close(() => process.exit(0));
});
