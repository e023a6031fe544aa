# The app registration of the MCP server https://mcp.example.com/mcp, for mcp-entra.
# It needs the Azure CLI, signed in as somebody who may register applications, and
# may be run again: it adds what is missing, moves what is on the wrong platform
# and takes nothing else away.
#
# ChatGPT: newer connectors have a redirect URI of their own,
# https://chatgpt.com/connector/oauth/…, which ChatGPT shows when the connector
# is made.
(
set -euo pipefail

graph=https://graph.microsoft.com
tenant=$(az account show --query tenantId --output tsv)
if [ "$tenant" != 11111111-2222-4333-8444-555555555555 ]; then
    echo "az is signed in to tenant $tenant; sign in to the right one with" >&2
    echo "az login --allow-no-subscriptions --tenant 11111111-2222-4333-8444-555555555555" >&2
    exit 1
fi

# 1. the registration
name='MCP server mcp.example.com/mcp'
client_id=$(az ad app list --filter "displayName eq '$name'" --query '[].appId' --output tsv)
case $client_id in
*[[:space:]]*)
    echo "there are several registrations of the name '$name'; choose one with --client-id:" >&2
    echo "$client_id" >&2
    exit 1
    ;;
'')
    client_id=$(az rest --method POST --uri "$graph/v1.0/applications" \
        --headers Content-Type=application/json --query appId --output tsv \
        --body '{"api":{"requestedAccessTokenVersion":2},"displayName":"MCP server mcp.example.com/mcp","signInAudience":"AzureADMyOrg"}')
    # it takes a while until every part of Entra knows it
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        if az ad app show --id "$client_id" --output none 2>/dev/null; then break; fi
        sleep 3
    done
    ;;
esac

# 2. its properties: what it has, with what is missing
web='[
  "https://www.cursor.com/agents/mcp/oauth/callback",
  "https://vscode.dev/redirect",
  "https://insiders.vscode.dev/redirect",
  "https://claude.ai/api/mcp/auth_callback",
  "https://claude.com/api/mcp/auth_callback",
  "https://chatgpt.com/connector_platform_oauth_redirect"
]'
native='[
  "cursor://anysphere.cursor-mcp/oauth/callback",
  "http://localhost/callback",
  "http://127.0.0.1/",
  "http://127.0.0.1:33418/"
]'
scope_0='{
  "adminConsentDescription": "MCP clients may call mcp.example.com/mcp on behalf of the signed-in user, with access_as_user.",
  "adminConsentDisplayName": "Access mcp.example.com/mcp as the user",
  "id": "0630377e-2b4a-5d9d-bd6b-aca7d252b9ce",
  "isEnabled": true,
  "type": "User",
  "userConsentDescription": "MCP clients may call mcp.example.com/mcp on your behalf, with access_as_user.",
  "userConsentDisplayName": "Access mcp.example.com/mcp as you",
  "value": "access_as_user"
}'
body=$(az ad app show --id "$client_id" --output json --query "{
    signInAudience: 'AzureADMyOrg',
    isFallbackPublicClient: \`true\`,
    identifierUris: contains(identifierUris, join('', ['api://', appId])) && identifierUris
        || [identifierUris, [join('', ['api://', appId])]][],
    web: {redirectUris: [web.redirectUris[?contains([\`$web\`, \`$native\`][], @) == \`false\`], \`$web\`][]},
    spa: {redirectUris: spa.redirectUris[?contains([\`$web\`, \`$native\`][], @) == \`false\`] || \`[]\`},
    publicClient: {redirectUris: [publicClient.redirectUris[?contains([\`$web\`, \`$native\`][], @) == \`false\`], \`$native\`][]},
    api: {
        requestedAccessTokenVersion: \`2\`,
        oauth2PermissionScopes: [
            api.oauth2PermissionScopes[?contains(\`[\"access_as_user\"]\`, value) == \`false\`],
            [
                merge(\`$scope_0\`, api.oauth2PermissionScopes[?value=='access_as_user'] | [0] || \`{}\`, \`{\"isEnabled\":true,\"type\":\"User\"}\`)
            ]
        ][]
    }
}")
az rest --method PATCH --uri "$graph/v1.0/applications(appId='$client_id')" \
    --headers Content-Type=application/json --body "$body"

# 3. the enterprise application: the registration's presence in the tenant
az ad sp show --id "$client_id" --output none 2>/dev/null ||
    az ad sp create --id "$client_id" --output none

# 4. a client secret, for the redirect URIs on the Web platform
secret_file=${MCP_ENTRA_CLIENT_SECRET_FILE:-mcp-entra-client-secret}
secrets=$(az ad app show --id "$client_id" --output tsv \
    --query "length(passwordCredentials[?displayName=='mcp-entra'])")
if [ "$secrets" = 0 ]; then
    (
        umask 077
        az ad app credential reset --id "$client_id" --append --display-name mcp-entra --years 1 \
            --query password --output tsv >"$secret_file"
    )
elif [ ! -s "$secret_file" ]; then
    echo "there is a secret 'mcp-entra', but it is not in $secret_file and Entra shows it once only;" >&2
    echo "put it there, or delete it in the portal and run this again" >&2
fi

cat <<SERVE
The registration is there. Serve with it, --upstream being your MCP server:

MCP_ENTRA_CLIENT_SECRET_FILE=$secret_file \\
mcp-entra serve \\
  --resource https://mcp.example.com/mcp \\
  --upstream http://127.0.0.1:9000/mcp \\
  --tenant 11111111-2222-4333-8444-555555555555 \\
  --client-id $client_id
SERVE
)
